"""`ssi kill`: asked where a number was born, and everywhere only where it is not there."""

from __future__ import annotations

import asyncio

import pytest

from ssi.cli.signals import signal_each
from ssi.client.system import System
from ssi.model.errors import SsiError
from ssi.protocol.jobs import ANY_START, SignalProcess
from ssi.protocol.message import Done, RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.refusals import JobMoved, LinkDown, NoSuchProcess, NotPermitted
from ssi.protocol.system import Locate, Located
from tests.unit.cli.fake_system import FakeConnection

JOB = 15000001
"""Born on n1."""
BORN_MS = 5120


class Signalled(FakeConnection):
    """A job of which each node says what it is told to; signals that were sent, in their order."""

    def __init__(self, lives_on: str) -> None:
        super().__init__()
        self.lives_on = lives_on
        self.refusals: dict[str, SsiError] = {}
        self.sent: list[tuple[str, int]] = []
        self.ids: list[bytes | None] = []
        self.located: list[str] = []

    async def ask(
        self,
        body: RequestMessage,
        *,
        node: str = "",
        timeout_s: float = 0.0,
        request_id: bytes | None = None,
    ) -> ReplyBody:
        if isinstance(body, Locate):
            self.located.append(node)
            here = node == self.lives_on
            return Located(here=here, start_ms=BORN_MS if here else 0, job=JOB)
        if isinstance(body, SignalProcess):
            self.sent.append((node, body.start_ms))
            self.ids.append(request_id)
            if body.start_ms == ANY_START and node in self.refusals:
                raise self.refusals[node]
            if node != self.lives_on:
                raise NoSuchProcess(gpid=body.gpid)
            return Done()
        return await super().ask(body, node=node, timeout_s=timeout_s, request_id=request_id)


def signalled(system: Signalled) -> int:
    return asyncio.run(signal_each(System(system), [JOB], 15))


def test_job_that_is_where_it_was_born_is_not_looked_for() -> None:
    system = Signalled("n1")
    assert signalled(system) == 0
    assert (system.sent, system.located) == ([("n1", ANY_START)], [])


@pytest.mark.parametrize(
    "refusal", [NoSuchProcess(gpid=JOB), JobMoved(gpid=JOB, node="n3"), None], ids=str
)
def test_job_that_has_moved_is_found_and_gets_one_signal(refusal: SsiError | None) -> None:
    system = Signalled("n3")
    if refusal is None:
        system.kill("n1")  # nobody waits for a node that is believed dead
    else:
        system.refusals["n1"] = refusal
    assert signalled(system) == 0
    assert system.sent[-1] == ("n3", BORN_MS)
    assert system.sent[:-1] == ([] if refusal is None else [("n1", ANY_START)])
    assert system.ids[-1] is None


def test_node_that_may_have_had_the_signal_gets_it_again_under_the_same_id() -> None:
    system = Signalled("n1")
    system.refusals["n1"] = LinkDown(node="n1", reason="it broke")
    assert signalled(system) == 0
    assert system.sent == [("n1", ANY_START), ("n1", BORN_MS)]
    assert system.ids[0] is not None and system.ids[0] == system.ids[1]


def test_refusal_of_the_node_that_has_it_is_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    system = Signalled("n1")
    system.refusals["n1"] = NotPermitted(node="n1", user="bob", deed="signal it")
    assert signalled(system) == NotPermitted.exit_code
    assert "bob may not signal it" in capsys.readouterr().err
    assert system.located == []
