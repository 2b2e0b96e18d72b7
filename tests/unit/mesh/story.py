"""One member whose clock and mail are in the hands of a test, and what it says."""

from __future__ import annotations

from random import Random
from typing import TypeVar

from ssi.mesh.event import (
    Changed,
    Event,
    Instruction,
    Now,
    Received,
    RosterInstalled,
    Send,
    Tick,
)
from ssi.mesh.membership import Membership
from ssi.mesh.settings import LAN, Settings
from ssi.model.node import NodeState
from ssi.protocol.pulse import (
    Ack,
    AnyDatagram,
    Gossip,
    IndirectProbe,
    Nack,
    Probe,
    Rumour,
)

WALL_MS = 1_700_000_000_000
BORN = 1000

DatagramT = TypeVar("DatagramT", bound=AnyDatagram)


class Story:
    """One member, n1, whose clock and mail are in the hands of the test."""

    def __init__(
        self,
        *others: str,
        name: str = "n1",
        settings: Settings = LAN,
        answering: tuple[str, ...] = (),
    ) -> None:
        self.machine = Membership(name, BORN if name else 0, Random(7), settings)
        self.now_s = 0.0
        self.told: list[Instruction] = []
        addresses = {each: f"10.0.0.{each[1:]}" for each in ("n1", *others)}
        for instruction in self.feed(RosterInstalled(version=1, addresses=addresses)):
            if isinstance(instruction, Send) and instruction.to in answering:
                self.answer(instruction)

    def feed(self, event: Event) -> list[Instruction]:
        now = Now(self.now_s, WALL_MS + self.now_s * 1000)
        told = self.machine.handle(event, now)
        self.told += told
        self.machine.due_s()
        return told

    def hear(self, source: str, datagram: AnyDatagram) -> list[Instruction]:
        return self.feed(Received(source=source, datagram=datagram))

    def wait(self, until_s: float, *answering: str) -> list[Instruction]:
        """Time passes, each tick at its time; the named members answer probes at once."""
        begun = len(self.told)
        while (due_s := self.machine.due_s()) <= until_s:
            self.now_s = max(self.now_s, due_s)
            for instruction in self.feed(Tick()):
                if isinstance(instruction, Send) and instruction.to in answering:
                    self.answer(instruction)
        self.now_s = until_s
        return self.told[begun:]

    def answer(self, send: Send) -> None:
        if isinstance(send.datagram, Probe):
            self.hear(send.to, Ack(incarnation=BORN, sequence=send.datagram.sequence))
        elif isinstance(send.datagram, IndirectProbe):
            self.hear(send.to, Nack(incarnation=BORN, sequence=send.datagram.sequence))

    def state(self, name: str) -> NodeState:
        return self.machine.beliefs.members[name].state

    @property
    def score(self) -> int:
        return self.machine.beliefs.awareness.score


def sent(told: list[Instruction], kind: type[DatagramT]) -> list[tuple[str, DatagramT]]:
    return [
        (i.to, i.datagram) for i in told if isinstance(i, Send) and isinstance(i.datagram, kind)
    ]


def changes(told: list[Instruction], name: str) -> list[NodeState]:
    return [i.after for i in told if isinstance(i, Changed) and i.name == name]


def suspicion_of(name: str, by: str, incarnation: int = BORN) -> Gossip:
    rumour = Rumour(name, NodeState.SUSPECT, incarnation, by, at=1)
    return Gossip(incarnation=BORN, rumours=(rumour,))
