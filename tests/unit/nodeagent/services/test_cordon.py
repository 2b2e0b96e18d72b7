"""The cordon of a node."""

from __future__ import annotations

from pathlib import Path

from nodeagent.dispatch import Caller
from nodeagent.services.cordon import CordonService
from ssi.protocol.message import Done
from ssi.protocol.system import CordonNode
from tests.unit.nodeagent.asking import dispatcher, error_in, reply_in, request_of, run

ROOT = Caller(user="root")


def test_a_cordon_outlives_the_agent_and_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []

    async def test() -> None:
        async with dispatcher() as d:
            service = CordonService(tmp_path / "cordoned", lambda: told.append("changed"))
            service.register_handlers(d)
            for _ in range(2):
                answer = await d.answer(request_of(CordonNode(cordoned=True)), ROOT)
                assert reply_in(answer) == Done()
            assert service.is_set
            assert CordonService(tmp_path / "cordoned", lambda: None).is_set
            await d.answer(request_of(CordonNode(cordoned=False)), ROOT)
            assert not service.is_set

    run(test())
    assert told == ["changed", "changed"]


def test_only_root_may_cordon(tmp_path: Path) -> None:
    async def test() -> None:
        async with dispatcher() as d:
            service = CordonService(tmp_path / "cordoned", lambda: None)
            service.register_handlers(d)
            answer = await d.answer(request_of(CordonNode(cordoned=True)), Caller(user="ada"))
            assert error_in(answer).word == "not-permitted"
            assert not service.is_set

    run(test())
