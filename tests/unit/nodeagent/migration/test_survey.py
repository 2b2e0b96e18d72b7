"""What of a job would be left behind at its source."""

from __future__ import annotations

from nodeagent.mechanism.connections import Connection
from nodeagent.mechanism.openfiles import OpenThing
from nodeagent.migration.survey import connected, listening, strangers
from tests.unit.view.samples import process

ROOT = 15_000_001


def socket_of(inode: int) -> OpenThing:
    return OpenThing(pid=70, where="fd 4", path=f"socket:[{inode}]", kind="socket", inode=inode)


def connection(*, to: int = 0, listens: bool = False) -> Connection:
    return Connection(
        kind="tcp",
        local=("127.0.0.1", 80),
        remote=("127.0.0.1", to),
        listening=listens,
        connected=bool(to),
    )


def test_a_process_that_left_the_tree_is_named_by_pid_and_name() -> None:
    rows = [
        process(gpid=ROOT, pid=70, parent_gpid=0, name="sh"),
        process(gpid=ROOT + 1, pid=71, parent_gpid=ROOT, name="child"),
        process(gpid=ROOT + 2, pid=72, parent_gpid=0, name="daemon"),
        process(gpid=ROOT + 3, pid=73, parent_gpid=ROOT + 2, name="below"),
        process(gpid=ROOT + 4, pid=74, parent_gpid=0, name="dead", state="Z"),
    ]
    assert strangers(ROOT, rows) == [
        "process 72 (daemon) has left the tree of the job, as daemons do",
        "process 73 (below) has left the tree of the job, as daemons do",
    ]


def test_a_connection_is_told_with_both_of_its_ends() -> None:
    sockets = {7: connection(to=22), 8: connection(listens=True)}
    things = [socket_of(7), socket_of(8), socket_of(9)]
    assert connected(things, sockets) == [
        "process 70, fd 4: a tcp connection from 127.0.0.1:80 to 127.0.0.1:22"
    ]
    assert listening(things, sockets) == ("tcp 127.0.0.1 80",)
