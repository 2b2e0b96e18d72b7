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


def test_restore_gives_each_pipe_of_the_images_our_descriptor() -> None:
    arguments = criu.restore_arguments(
        "/c", "/images", "/logs", 5, {501: 7, 502: 9}, real_ids=True, terminal=True
    )
    keys = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--inherit-fd"]
    assert keys == ["fd[7]:pipe:[501]", "fd[9]:pipe:[502]"]
    assert arguments[arguments.index("--network-lock") + 1] == "skip"
    assert arguments[:3] == ["/c", "swrk", "5"]


def test_images_are_spent_only_where_they_shall_be() -> None:
    def arguments(*, spends: bool) -> list[str]:
        return criu.restore_arguments(
            "/c", "/images", "/logs", 5, {}, real_ids=False, terminal=False, spends=spends
        )

    assert "--auto-dedup" in arguments(spends=True)
    assert "--auto-dedup" not in arguments(spends=False)


def test_missing_capability_is_read_from_the_effective_set() -> None:
    assert criu.lacks_sys_resource("Name:\tx\nCapEff:\t000001fffeffffff\n")
    assert not criu.lacks_sys_resource("Name:\tx\nCapEff:\t000001ffffffffff\n")


def test_a_frozen_tree_is_dumped_in_its_freezer_and_gets_no_signal() -> None:
    arguments = criu.dump_arguments(
        "/c", 1000, "/images", "/logs", real_ids=False, terminal=False, freezer="/sys/ssi/job-1"
    )
    assert "--leave-stopped" not in arguments and "--leave-running" in arguments
    assert arguments[arguments.index("--freeze-cgroup") + 1] == "/sys/ssi/job-1"
