"""Bugs that would run a job twice, or lose it: each is planted, and the simulation catches it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from nodeagent.job import Job
from nodeagent.migration import ahead
from nodeagent.migration.arrival import Arrival
from nodeagent.migration.destination import Destination
from nodeagent.migration.doubt import Doubt
from nodeagent.migration.move import Move
from nodeagent.migration.preflight import Preflight
from nodeagent.migration.rounds import Round
from nodeagent.migration.source import Source
from nodeagent.migration.transfer import Courier
from ssi.model.migration import Live
from ssi.model.shim import DumpFailed
from ssi.protocol.migration import JobMigrated, Ownership, ResumeJob
from tests.simulation.movestory import MoveStory
from tests.simulation.world import Broken

SEEDS_UNTIL_CAUGHT = 500

Patch = pytest.MonkeyPatch


def resumed_without_a_commit(patch: Patch) -> None:
    commit = Source._commit

    async def resume_first(self: Source, move: Move) -> float:
        gpid, epoch = move.key
        request = ResumeJob(gpid=gpid, epoch=epoch)
        await self._peers.ask(move.destination, request, timeout_s=20.0)
        return await commit(self, move)

    patch.setattr(Source, "_commit", resume_first)


def source_runs_it_again_without_an_answer(patch: Patch) -> None:
    ask = Doubt._ask

    async def guess(self: Doubt, node: str, gpid: int) -> Ownership | None:
        return await ask(self, node, gpid) or Ownership(stage="none")

    patch.setattr(Doubt, "_ask", guess)


def epoch_is_not_increased(patch: Patch) -> None:
    begin = Preflight.begin

    def same_epoch(self: Preflight, job: Job, destination: str, live: Live | None) -> Move:
        move = begin(self, job, destination, live)
        move.row = msgspec.structs.replace(move.row, epoch=job.row.epoch)
        return move

    patch.setattr(Preflight, "begin", same_epoch)


def abandon_is_ignored(patch: Patch) -> None:
    async def drop(self: Destination, gpid: int) -> None:
        pass

    patch.setattr(Destination, "drop", drop)


def move_in_doubt_may_be_redirected(patch: Patch) -> None:
    move = Source.move

    async def redirect(self: Source, job: Job, destination: str, live: Live | None) -> JobMigrated:
        job.destination = destination
        return await move(self, job, destination, live)

    patch.setattr(Source, "move", redirect)


def pledge_is_forgotten(patch: Patch) -> None:
    patch.setattr(Job, "_recall_pledge", lambda self: False)


def arrival_is_owned_before_it_runs(patch: Patch) -> None:
    restore = Destination._restore_shim

    async def owned(self: Destination, arrival: Arrival, job: Job, body: object) -> object:
        job.row = msgspec.structs.replace(job.row, node=self._node)
        job.save()
        return await restore(self, arrival, job, body)  # type: ignore[arg-type]

    patch.setattr(Destination, "_restore_shim", owned)


def failed_round_counts(patch: Patch) -> None:
    send = ahead._send_round

    async def swallow(move: Move, courier: Courier, criu: str) -> Round:
        try:
            return await send(move, courier, criu)
        except* DumpFailed:
            pass
        return Round(0, 0.0)

    patch.setattr(ahead, "_send_round", swallow)


@pytest.mark.parametrize(
    "plant",
    [
        resumed_without_a_commit,
        source_runs_it_again_without_an_answer,
        epoch_is_not_increased,
        abandon_is_ignored,
        move_in_doubt_may_be_redirected,
        pledge_is_forgotten,
        arrival_is_owned_before_it_runs,
        failed_round_counts,
    ],
)
def test_planted_bug_in_moves_is_caught(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    with pytest.raises(Broken, match=r"replay: pytest tests/simulation/test_moves.py --seed"):
        for seed in range(SEEDS_UNTIL_CAUGHT):
            MoveStory(seed).run()
