"""A command that cordons returns once placement from here heeds it, and sooner than never."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import cast

import msgspec
import pytest

from ssi.cli import cordon
from ssi.client.system import System
from ssi.model.node import NodeRow, NodeState
from ssi.protocol.system import NodeList
from tests.unit.view.samples import METRICS


class Door:
    """Tells of n1, each time by the next view of its cordon, and ever after by the last."""

    def __init__(self, views: Sequence[bool | None]) -> None:
        self.views = views
        self.looks = 0

    async def nodes(self) -> NodeList:
        view = self.views[min(self.looks, len(self.views) - 1)]
        self.looks += 1
        metrics = None if view is None else msgspec.structs.replace(METRICS, cordoned=view)
        row = NodeRow(
            name="n1", number=1, address="", state=NodeState.ALIVE, age_s=0.0, metrics=metrics
        )
        return NodeList(observer="", rows=(row,), client="")


def looks_until(views: Sequence[bool | None], *, cordoned: bool) -> tuple[int, bool]:
    door = Door(views)
    is_seen = asyncio.run(cordon._until_seen(cast("System", door), {"n1"}, cordoned=cordoned))
    return door.looks, is_seen


def test_it_waits_for_as_long_as_the_door_believes_what_was_before() -> None:
    assert looks_until([True, True, True, False], cordoned=False) == (4, True)
    assert looks_until([False, True], cordoned=True) == (2, True)


def test_a_node_of_which_the_door_knows_nothing_is_not_waited_for() -> None:
    assert looks_until([None], cordoned=True) == (1, True)


def test_a_door_that_never_hears_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cordon, "SEEN_WITHIN_S", 0.12)
    began_s = time.monotonic()
    looks, is_seen = looks_until([True], cordoned=False)
    assert looks > 1
    assert not is_seen, "which is told"
    assert time.monotonic() - began_s < 5.0
