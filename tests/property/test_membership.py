"""What holds of membership whatever is heard, and whenever."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ssi.mesh.membership import Changed, Heard, MemberAdded, MemberRemoved, Membership, Probe, Tick
from ssi.mesh.settings import Settings
from ssi.model.node import NodeState

NAMES = st.sampled_from(["n1", "n2", "n3"])
SETTINGS = Settings()
TICK_S = SETTINGS.probe_interval_s / 4
RANK = {NodeState.ALIVE: 0, NodeState.SUSPECT: 1, NodeState.DEAD: 2}


class MembershipMachine(RuleBasedStateMachine):
    """Feeds any events in the order of time and keeps its own, simpler books."""

    def __init__(self) -> None:
        super().__init__()
        self.mesh = Membership(SETTINGS)
        self.now_s = 1000.0
        self.ticked_s = self.now_s
        self.heard_s: dict[str, float] = {}
        self.incarnations: dict[str, int] = {}
        self.states: dict[str, NodeState] = {}

    @rule(name=NAMES)
    def add(self, name: str) -> None:
        assert self.mesh.handle(MemberAdded(name=name), self.now_s) == []
        if name not in self.states:
            self.states[name], self.heard_s[name] = NodeState.ALIVE, self.now_s
            self.incarnations[name] = 0

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        assert self.mesh.handle(MemberRemoved(name=name), self.now_s) == []
        for book in (self.states, self.heard_s, self.incarnations):
            book.pop(name, None)

    @rule(name=NAMES, incarnation=st.integers(min_value=0, max_value=5))
    def hear(self, name: str, incarnation: int) -> None:
        told = self.mesh.handle(Heard(name=name, incarnation=incarnation), self.now_s)
        if incarnation < self.incarnations.get(name, 0) or name not in self.states:
            assert told == []
            return
        was_alive = self.states[name] is NodeState.ALIVE
        assert [type(i) for i in told] == ([] if was_alive else [Changed])
        self.states[name], self.heard_s[name] = NodeState.ALIVE, self.now_s
        self.incarnations[name] = incarnation

    @rule(quarters=st.integers(min_value=1, max_value=30))
    def let_time_pass(self, quarters: int) -> None:
        for _ in range(quarters):
            self.now_s += TICK_S
            self.tick()

    @rule(jump_s=st.floats(min_value=0.0, max_value=30.0))
    def tick_late(self, jump_s: float) -> None:
        self.now_s += jump_s
        self.tick()

    def tick(self) -> None:
        told = self.mesh.handle(Tick(), self.now_s)
        self.ticked_s = self.now_s
        probed = [i.name for i in told if isinstance(i, Probe)]
        assert len(probed) == len(set(probed))
        for change in (i for i in told if isinstance(i, Changed)):
            assert change.before is self.states[change.name]
            assert RANK[change.after] > RANK[change.before], "silence brings nobody back"
            self.states[change.name] = change.after

    @invariant()
    def what_was_told_is_what_is_believed(self) -> None:
        assert {m.name: m.state for m in self.mesh.members.values()} == self.states

    @invariant()
    def incarnation_never_falls(self) -> None:
        assert {m.name: m.incarnation for m in self.mesh.members.values()} == self.incarnations

    @invariant()
    def state_is_that_of_the_silence_at_the_last_tick(self) -> None:
        for name, state in self.states.items():
            silent_s = self.ticked_s - self.heard_s[name]
            if silent_s >= SETTINGS.dead_after_s:
                assert state is NodeState.DEAD
            elif silent_s >= SETTINGS.suspect_after_s:
                assert state is not NodeState.ALIVE
            if self.now_s - self.heard_s[name] < SETTINGS.suspect_after_s:
                assert state is NodeState.ALIVE


MembershipMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestMembership = MembershipMachine.TestCase
