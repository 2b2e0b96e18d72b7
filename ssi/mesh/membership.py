"""What one observer believes of each member, from what it hears and from silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from ssi.mesh.settings import Settings
from ssi.model.node import NodeState

# What happened


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAdded:
    """The roster names a node that was not there."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved:
    """The roster no longer names a node."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A member answered a probe or sent one: it lives.

    Attributes:
        incarnation: Of its agent. A lower one than known is an old message, and is not believed.
    """

    name: str
    incarnation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed; at least four times per probe interval."""


Event: TypeAlias = MemberAdded | MemberRemoved | Heard | Tick

# What to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Ask that member whether it lives."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The observer believes something else of a member now."""

    name: str
    before: NodeState
    after: NodeState
    silent_s: float


Instruction: TypeAlias = Probe | Changed


@dataclass(slots=True, kw_only=True)
class Member:
    """What is believed of one member.

    Attributes:
        heard_at_s: When it was last heard, or was added.
        probed_at_s: When it was last asked.
        ever_heard: Whether it has been heard at all.
    """

    name: str
    heard_at_s: float
    probed_at_s: float = float("-inf")
    state: NodeState = NodeState.ALIVE
    incarnation: int = 0
    ever_heard: bool = False


class Membership:
    """The state machine. Feed it events in the order of their times; do what it says."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.members: dict[str, Member] = {}

    def __repr__(self) -> str:
        beliefs = " ".join(f"{m.name}={m.state}" for m in self.members.values())
        return f"Membership({beliefs})"

    def handle(self, event: Event, now_s: float) -> list[Instruction]:
        """Takes in an event; the instructions are to be carried out in order."""
        match event:
            case MemberAdded(name=name):
                self.members.setdefault(name, Member(name=name, heard_at_s=now_s))
                return []
            case MemberRemoved(name=name):
                self.members.pop(name, None)
                return []
            case Heard(name=name, incarnation=incarnation):
                return self._heard(name, incarnation, now_s)
            case Tick():
                return self._tick(now_s)
            case _:
                assert_never(event)

    def _heard(self, name: str, incarnation: int, now_s: float) -> list[Instruction]:
        member = self.members.get(name)
        if member is None or incarnation < member.incarnation:
            return []
        member.heard_at_s = now_s
        member.incarnation = incarnation
        member.ever_heard = True
        return self._believe(member, NodeState.ALIVE, now_s)

    def _tick(self, now_s: float) -> list[Instruction]:
        instructions: list[Instruction] = []
        for member in self.members.values():
            if now_s - member.probed_at_s >= self.settings.probe_interval_s:
                member.probed_at_s = now_s
                instructions.append(Probe(name=member.name))
            state = state_of_silence(now_s - member.heard_at_s, self.settings)
            # Silence alone never brings a member back; only to be heard does.
            if state is not NodeState.ALIVE:
                instructions += self._believe(member, state, now_s)
        return instructions

    def _believe(self, member: Member, state: NodeState, now_s: float) -> list[Instruction]:
        before, member.state = member.state, state
        if before is state:
            return []
        silent_s = now_s - member.heard_at_s
        return [Changed(name=member.name, before=before, after=state, silent_s=silent_s)]


def state_of_silence(silent_s: float, settings: Settings) -> NodeState:
    """What a silence of that length means."""
    if silent_s >= settings.dead_after_s:
        return NodeState.DEAD
    if silent_s >= settings.suspect_after_s:
        return NodeState.SUSPECT
    return NodeState.ALIVE
