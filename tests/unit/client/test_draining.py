"""A node is emptied: each job has its own fate, and nothing is tried for ever."""

from __future__ import annotations

import asyncio
from random import Random

import msgspec

from ssi.client.draining import NOT_TRIED, Drained, Draining
from ssi.client.moves import Moved, Mover
from ssi.client.system import Location, System
from ssi.model.errors import SsiError
from ssi.model.job import JobRow, JobState
from ssi.model.migration import CannotMigrate, MigrationFailed, MigrationInDoubt, MigrationLost
from ssi.protocol.message import Done, RequestMessage
from ssi.protocol.messages import ReplyBody
from ssi.protocol.migration import JobMigrated, MigrateJob
from ssi.protocol.refusals import JobMoved
from ssi.protocol.system import (
    CordonNode,
    JobList,
    ListJobs,
    ListNodes,
    ListProcesses,
    NodeList,
    ProcessList,
)
from tests.unit.cli.fake_system import FakeConnection, three_nodes


def job(gpid: int, state: JobState = JobState.RUNNING) -> JobRow:
    return JobRow(
        gpid=gpid, node="n1", user="ada", argv=("x",), cwd="/", state=state, start_ms=gpid
    )


class Cluster(FakeConnection):
    """Three nodes; n1 has jobs, and moves fail as ``fates`` says by gpid and destination."""

    def __init__(self, *jobs: JobRow) -> None:
        super().__init__()
        self.nodes = three_nodes()
        self.jobs = {row.gpid: row for row in jobs}
        self.fates: dict[tuple[int, str], SsiError] = {}
        self.sent: list[tuple[int, str]] = []
        self.cordoned = False
        self.at_once = self.most_at_once = 0

    async def ask(
        self,
        body: RequestMessage,
        *,
        node: str = "",
        timeout_s: float = 0.0,
        request_id: bytes | None = None,
    ) -> ReplyBody:
        await asyncio.sleep(0)
        match body:
            case CordonNode():
                self.cordoned = body.cordoned
                return Done()
            case ListNodes():
                return NodeList(observer="n1", rows=tuple(self.nodes))
            case ListJobs():
                return JobList(node=node, rows=tuple(self.jobs.values()))
            case ListProcesses():
                return ProcessList(node=node, taken_at_s=0.0, rows=())
            case MigrateJob():
                return await self._move(body)
        raise AssertionError(body)

    async def _move(self, body: MigrateJob) -> JobMigrated:
        self.sent.append((body.gpid, body.destination))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if (body.gpid, body.destination) in self.fates:
            raise self.fates[body.gpid, body.destination]
        row = msgspec.structs.replace(self.jobs.pop(body.gpid), node=body.destination)
        return JobMigrated(row=row, total_ms=1, freeze_ms=1, image_bytes=1, carried_bytes=0)


class Notes:
    """Keeps what a drain tells."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def began(self, gpid: int, to_go: int) -> None:
        self.told.append(f"began {gpid}, {to_go} to go")

    def moved(self, moved: Moved) -> None:
        self.told.append(f"moved {moved.report.row.gpid}")

    def went(self, gpid: int) -> None:
        self.told.append(f"went {gpid}")

    def stays(self, gpid: int, error: SsiError) -> None:
        self.told.append(f"stays {gpid} {error.word}")

    def lost(self, gpid: int, error: SsiError) -> None:
        self.told.append(f"lost {gpid} {error.word}")


def drain(cluster: Cluster, parallel: int = 4) -> Drained:
    return asyncio.run(Draining(System(cluster), "n1", parallel, Notes()).run())


def blocked(gpid: int, node: str, blocker: str) -> CannotMigrate:
    return CannotMigrate(gpid=gpid, destination=node, blockers=[blocker])


def test_all_jobs_leave_a_cordoned_node_and_spread() -> None:
    cluster = Cluster(*(job(gpid) for gpid in range(1, 9)), job(9, JobState.EXITED))
    drained = drain(cluster)
    assert cluster.cordoned
    assert (len(drained.moved), drained.left) == (8, [])
    places = [each.destination for each in drained.moved]
    assert (places.count("n2"), places.count("n3")) == (4, 4)
    assert cluster.most_at_once == 4


def test_a_job_that_somebody_else_moves_at_that_moment_has_not_failed_to() -> None:
    cluster = Cluster(job(1), job(2))

    async def moved_by_another(body: MigrateJob) -> JobMigrated:
        if body.gpid == 1 and len(cluster.sent) < 2:
            cluster.sent.append((1, body.destination))
            raise JobMoved(gpid=1, node="n3")
        return await Cluster._move(cluster, body)

    cluster._move = moved_by_another  # type: ignore[method-assign]
    drained = drain(cluster)
    assert drained.left == []
    assert {each.report.row.gpid for each in drained.moved} == {1, 2}, "it was back by then"


def test_a_job_that_is_lost_on_its_way_is_told_as_lost() -> None:
    cluster = Cluster(job(1), job(2))

    async def lost(body: MigrateJob) -> JobMigrated:
        if body.gpid == 1:
            del cluster.jobs[1]
            raise MigrationLost(gpid=1, source="n1", destination="n2", reason="n1 is gone")
        return await Cluster._move(cluster, body)

    cluster._move = lost  # type: ignore[method-assign]
    notes = Notes()
    drained = asyncio.run(Draining(System(cluster), "n1", 4, notes).run())
    assert drained.left == [] and [each.report.row.gpid for each in drained.moved] == [2]
    assert [error.word for error in drained.lost.values()] == ["migration-lost"]
    assert "lost 1 migration-lost" in notes.told


def test_a_job_that_one_node_refuses_goes_to_the_next() -> None:
    cluster = Cluster(job(1), job(2))
    for gpid in (1, 2):
        cluster.fates[gpid, "n2"] = blocked(gpid, "n2", "n2: no account for ada")
    drained = drain(cluster)
    assert {each.destination for each in drained.moved} == {"n3"}


def test_a_restore_that_fails_is_tried_elsewhere() -> None:
    cluster = Cluster(job(1))
    for node in ("n2", "n3"):
        cluster.fates[1, node] = MigrationFailed(
            gpid=1, source="n1", destination=node, step="restore", reason="criu broke"
        )
    drained = drain(cluster)
    assert sorted(cluster.sent) == [(1, "n2"), (1, "n3")]
    assert "n2: restore: criu broke" in drained.left[0].reason
    assert "n3: restore: criu broke" in drained.left[0].reason


def test_what_stands_in_the_way_at_home_is_not_tried_on_every_node() -> None:
    cluster = Cluster(job(1), job(2))
    for node in ("n2", "n3"):
        cluster.fates[1, node] = blocked(1, node, "process 7, fd 3: a named pipe")
    drained = drain(cluster)
    assert len([gpid for gpid, _node in cluster.sent if gpid == 1]) == 1
    assert [(left.gpid, left.word) for left in drained.left] == [(1, "cannot-migrate")]
    assert [each.report.row.gpid for each in drained.moved] == [2]


def test_a_move_in_doubt_is_never_tried_elsewhere() -> None:
    cluster = Cluster(job(1))
    for node in ("n2", "n3"):
        cluster.fates[1, node] = MigrationInDoubt(
            gpid=1, source="n1", destination=node, silent_s=20.0
        )
    drained = drain(cluster)
    assert len(cluster.sent) == 1
    assert drained.left[0].word == "migration-in-doubt"


def test_a_drain_that_is_stopped_begins_nothing_more_and_says_what_is_left() -> None:
    cluster = Cluster(*(job(gpid) for gpid in range(1, 7)))

    class Impatient(Notes):
        def moved(self, moved: Moved) -> None:
            draining.stop()

    draining = Draining(System(cluster), "n1", 2, Impatient())
    drained = asyncio.run(draining.run())
    assert 0 < len(drained.moved) <= 2
    assert len(drained.left) == 6 - len(drained.moved)
    assert {left.reason for left in drained.left} == {NOT_TRIED}
    again = drain(cluster)
    assert again.left == []


def test_where_no_node_is_left_the_reason_names_each() -> None:
    cluster = Cluster(job(1))
    cluster.kill("n2")
    cluster.kill("n3")
    drained = drain(cluster)
    assert cluster.sent == []
    assert "n2: it is dead; n3: it is dead" in drained.left[0].reason


def test_candidates_are_those_that_metrics_allow() -> None:
    async def test() -> list[str]:
        cluster = Cluster(job(1))
        cluster.kill("n3")
        location = Location(node="n1", gpid=1, start_ms=1, job=1)
        placement = await Mover(System(cluster), Random(1)).candidates(location)
        return [suggestion.node for suggestion in placement.suggestions]

    assert asyncio.run(test()) == ["n2"]
