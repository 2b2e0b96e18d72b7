from nodeagent.mechanism import criu

LOG = """\
(00.000000) Version: 4.2.1
(00.000210) Error (criu/tun.c:85): tun: Unable to create tun: No such file or directory
(00.000310) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.012345)   1003: Error (criu/files-reg.c:2269): Can't open file tmp/gone: No such file or directory
(00.012399) Error (criu/cr-restore.c:1480): 1003 exited, status=1
"""  # noqa: E501 - CRIU's own lines


def test_first_error_skips_what_every_log_here_begins_with() -> None:
    assert criu.first_error(LOG) == "Can't open file tmp/gone: No such file or directory"


def test_log_without_error_has_none() -> None:
    assert criu.first_error("(00.1) Dumping finished successfully\n") == ""
    assert criu.first_error("\n".join(LOG.splitlines()[:3])) == ""


def test_dump_leaves_the_tree_stopped_and_cgroups_alone() -> None:
    arguments = criu.dump_arguments("/c", 1000, "/images", "/logs", real_ids=False, terminal=False)
    assert arguments[:4] == ["/c", "dump", "--tree", "1000"]
    assert "--leave-stopped" in arguments
    assert "--manage-cgroups=ignore" in arguments
    assert "--network-lock" not in arguments


def test_worker_is_told_what_cannot_wait_for_its_request() -> None:
    arguments = criu.worker_arguments("/c", 5, "/logs", "restore.log", real_ids=True, terminal=True)
    assert arguments[:3] == ["/c", "swrk", "5"]
    assert arguments[arguments.index("--network-lock") + 1] == "skip"
    assert arguments[arguments.index("--log-file") + 1] == "restore.log"
    assert "--shell-job" in arguments and "--lazy-pages" not in arguments


def test_lazy_worker_has_a_socket_for_the_memory_that_nobody_wants() -> None:
    arguments = criu.worker_arguments(
        "/c", 5, "/logs", "dump.log", real_ids=False, terminal=False, pages=6
    )
    assert "--lazy-pages" in arguments
    assert arguments[arguments.index("--ps-socket") + 1] == "6"
    assert "--shell-job" not in arguments and "--network-lock" not in arguments


def test_missing_capability_is_read_from_the_effective_set() -> None:
    assert criu.lacks_sys_resource("Name:\tx\nCapEff:\t000001fffeffffff\n")
    assert not criu.lacks_sys_resource("Name:\tx\nCapEff:\t000001ffffffffff\n")
