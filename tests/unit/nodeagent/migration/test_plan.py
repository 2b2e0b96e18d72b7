import os

from nodeagent.mechanism.mounts import Mounts
from nodeagent.mechanism.openfiles import OpenThing
from nodeagent.mechanism.unixsockets import UnixSocket
from nodeagent.migration.plan import Item, Plan, make_plan, named_pipes
from ssi.model.jobfiles import Bind, JobFiles

MOUNTS = Mounts(
    "22 1 0:21 / / rw - overlay overlay rw\n23 22 0:30 / /tmp rw - tmpfs tmpfs rw\n"
)  # fmt: skip
SOCKETS = {
    7: UnixSocket(peer=8),
    8: UnixSocket(peer=7),
    9: UnixSocket(peer=100),
    10: UnixSocket(name="/run/mine", peer=0),
    11: UnixSocket(name="@mine", peer=200),
    12: UnixSocket(name="@mine"),
    100: UnixSocket(name="/run/served", peer=9),
}


def plan_of(*things: OpenThing, outside: dict[int, int] | None = None) -> Plan:
    return make_plan(
        things,
        MOUNTS,
        root_pid=50,
        has_terminal=False,
        other_writers=outside or {},
        unix_sockets=SOCKETS,
    )


def a_socket(inode: int) -> OpenThing:
    return OpenThing(pid=50, where="fd 3", path=f"socket:[{inode}]", kind="socket", inode=inode)


def an_inotify(*devices: int) -> OpenThing:
    return OpenThing(
        pid=50, where="fd 4", path="anon_inode:inotify", kind="other", watched=frozenset(devices)
    )


def test_unix_sockets_whose_ends_are_both_in_the_job_move() -> None:
    assert plan_of(a_socket(7), a_socket(8), a_socket(12)).blockers == ()


def test_unix_socket_at_a_path_is_refused_lest_another_be_removed() -> None:
    (blocker,) = plan_of(a_socket(10)).blockers
    assert blocker == "process 50, fd 3: it is bound to /run/mine"


def test_unix_socket_to_outside_is_refused_by_the_name_of_the_other_end() -> None:
    (blocker,) = plan_of(a_socket(9)).blockers
    assert blocker == (
        "process 50, fd 3: a connection through the Unix socket /run/served, to outside the job"
    )


def test_unix_socket_of_a_client_outside_is_refused_by_its_own_name() -> None:
    (blocker,) = plan_of(a_socket(11)).blockers
    assert "through the Unix socket @mine" in blocker


def test_inotify_moves_except_where_it_watches_overlayfs() -> None:
    assert plan_of(an_inotify(os.makedev(0, 30))).blockers == ()
    (blocker,) = plan_of(an_inotify(os.makedev(0, 30), os.makedev(0, 21))).blockers
    assert blocker == "process 50, fd 4: inotify watches a file on overlayfs"


def test_database_that_would_become_read_only_is_refused_with_a_way_out() -> None:
    base = OpenThing(pid=50, where="fd 5", path="/srv/base", kind="file", knows_inode=True)
    (blocker,) = plan_of(base).blockers
    assert "SQLite does not write to /srv/base" in blocker and "WAL" in blocker


def test_file_that_lost_its_name_is_refused() -> None:
    lost = OpenThing(pid=50, where="fd 5", path="/srv/log", kind="file", has_lost_name=True)
    [blocker] = plan_of(lost).blockers
    assert blocker.startswith("process 50, fd 5: /srv/log has lost the name")


def test_what_its_home_has_no_more_is_named() -> None:
    def blockers(where: str, path: str) -> tuple[str, ...]:
        things = [OpenThing(pid=50, where=where, path=path, kind="gone")]
        return make_plan(
            things, MOUNTS, root_pid=50, has_terminal=False, other_writers={}, unix_sockets={},
            seen=JobFiles(home="n1", binds=(Bind(node="n1", source="/h", target="/h"),)),
        ).blockers  # fmt: skip

    for where in ("cwd", "program", "fd 3"):
        (blocker,) = blockers(where, "/h/x")
        assert blocker == f"process 50, {where}: /h/x is not there any more, where it is from"
    assert len(blockers("cwd", "/elsewhere")) == 1
    assert blockers("fd 3", "/proc/77/status") == (), "which CRIU knows how to judge"


def a_fifo(path: str = "/srv/pipe", links: int = 1) -> OpenThing:
    return OpenThing(pid=50, where="fd 5", path=path, kind="fifo", device=21, inode=77, links=links)


def test_a_named_pipe_goes_along_and_is_nothing_but_a_move_can_take() -> None:
    plan = plan_of(a_fifo())
    assert plan.blockers == ()
    assert plan.files == (
        Item(
            path="/srv/pipe",
            link="/proc/50/fd/5",
            identity=(21, 77),
            writable=True,
            is_fifo=True,
        ),
    )
    assert named_pipes(plan) == ["/srv/pipe is a named pipe"]


def test_a_named_pipe_that_others_have_open_stays_and_so_does_the_job() -> None:
    (blocker,) = plan_of(a_fifo(), outside={77: 4711}).blockers
    assert blocker == (
        "process 50, fd 5: /srv/pipe is a named pipe, whose other end would stay behind: "
        "process 4711 has it open"
    )


def test_a_named_pipe_without_a_name_is_refused() -> None:
    (blocker,) = plan_of(a_fifo(links=0)).blockers
    assert blocker.endswith("/srv/pipe is a named pipe without a name, as it was deleted")


def test_a_named_pipe_of_the_jobs_home_is_there_wherever_it_runs() -> None:
    seen = JobFiles(home="n1", binds=(Bind(node="n1", source="/h", target="/home/ada"),))
    plan = make_plan(
        [a_fifo("/home/ada/pipe")], MOUNTS, root_pid=50, has_terminal=False, other_writers={},
        unix_sockets={}, seen=seen,
    )  # fmt: skip
    assert (plan.blockers, plan.files, plan.followed) == ((), (), ())
