"""What `ssi doctor` makes of the facts that a node tells."""

from __future__ import annotations

import msgspec
import pytest

from ssi.model.examination import UNKNOWN, Finding, Limits, NodeFacts, Verdict, is_criu_too_old
from ssi.model.node import NodeState
from ssi.policy.health import judge_criu_versions, judge_node, judge_row, judge_views
from tests.unit.view.samples import node

WELL = NodeFacts(
    python="3.13.5",
    version="0.1.0",
    is_root=True,
    kernel="6.18.0-1",
    arch="x86_64",
    criu="4.2.1",
    freezer="v2",
    has_fuse=True,
    has_pid_namespaces=True,
    images_path="/run/ssi/images",
    images_in_memory=True,
    images_free_bytes=1 << 32,
    state_path="/var/lib/ssi",
    state_free_bytes=1 << 32,
    fusermount="/usr/bin/fusermount3",
)


def troubles(**changes: object) -> list[Finding]:
    facts = msgspec.structs.replace(WELL, **changes)
    return [each for each in judge_node("n1", facts, ours="0.1.0") if each.verdict != "ok"]


def test_a_node_that_has_all_gets_no_word_of_blame() -> None:
    assert troubles() == []


def test_gpus_are_spoken_of_only_where_there_are_any_and_as_what_was_never_tried() -> None:
    assert not [each for each in judge_node("n1", WELL, ours="0.1.0") if each.check == "gpus"]
    facts = msgspec.structs.replace(WELL, gpus=("drm", "nvidia"))
    (found,) = [each for each in judge_node("n1", facts, ours="0.1.0") if each.check == "gpus"]
    assert found.verdict is Verdict.OK
    assert "fdinfo and nvidia-smi pmon; this was never tried on a real GPU" in found.text


@pytest.mark.parametrize(
    ("changes", "check", "verdict", "remedy"),
    [
        ({"criu": ""}, "criu", Verdict.FAIL, "ssh n1 apt-get install criu"),
        ({"criu": "4.1.1"}, "criu", Verdict.FAIL, "ssh n1 apt-get install criu"),
        ({"python": "3.10.9"}, "python", Verdict.FAIL, "ssh n1 apt-get install python3"),
        ({"version": "0.0.9"}, "version", Verdict.WARN, "ssi up n1"),
        ({"is_root": False}, "root", Verdict.WARN, "ssi up root@n1"),
        ({"has_fuse": False}, "fuse", Verdict.WARN, "ssh n1 modprobe fuse"),
        ({"has_pid_namespaces": False}, "pid namespaces", Verdict.FAIL, ""),
        (
            {"images_in_memory": False},
            "images",
            Verdict.WARN,
            "ssh n1 mount -t tmpfs tmpfs /run/ssi/images",
        ),
        ({"open_keys": ("/k 0644",)}, "keys", Verdict.FAIL, "ssh n1 chmod 600 /k"),
        ({"files_problem": "gone"}, "files", Verdict.WARN, "ssi up n1"),
        ({"cordoned": True}, "cordon", Verdict.WARN, "ssi uncordon n1"),
        ({"shell_lacks": ("shfmt",)}, "shell", Verdict.WARN, "ssi up n1"),
        ({"shell_lacks": ("tree-sitter",)}, "shell", Verdict.WARN, "ssi up n1"),
    ],
)
def test_each_trouble_is_told_with_its_remedy(
    changes: dict[str, object], check: str, verdict: Verdict, remedy: str
) -> None:
    found = troubles(**changes)
    assert [(each.check, each.verdict, each.remedy) for each in found] == [(check, verdict, remedy)]


@pytest.mark.parametrize(
    ("criu", "kernel", "too_old"),
    [
        ("4.1.1", "6.16.0", True),
        ("4.1.1", "6.15.9", False),
        ("4.2", "6.18.44-fc", False),
        ("5.0", "7.0", False),
        ("", "6.18", False),
        ("4.1", "7.1", True),
    ],
)
def test_criu_before_4_2_is_too_old_from_kernel_6_16_on(
    criu: str, kernel: str, too_old: bool
) -> None:
    assert is_criu_too_old(criu, kernel) is too_old


def test_only_those_of_an_older_criu_are_blamed() -> None:
    old = msgspec.structs.replace(WELL, criu="4.2")
    none = msgspec.structs.replace(WELL, criu="")
    found = judge_criu_versions({"n1": WELL, "n2": old, "n3": none})
    assert [(each.where, each.verdict) for each in found] == [("n2", Verdict.WARN)]


def test_a_dead_node_fails_and_a_wrong_clock_is_a_warning() -> None:
    assert judge_row(node(state=NodeState.DEAD))[0].verdict is Verdict.FAIL
    verdicts = [each.verdict for each in judge_row(node(clock_offset_ms=-5000.0))]
    assert verdicts == [Verdict.OK, Verdict.WARN]


def test_a_node_that_does_not_reach_another_says_which() -> None:
    views = {"n1": [node(), node(name="n2", state=NodeState.DEAD)], "n2": [node(name="n2")]}
    found = judge_views(views)
    assert [(each.where, each.verdict) for each in found] == [
        ("n1", Verdict.FAIL),
        ("n2", Verdict.OK),
    ]
    assert "n2" in found[0].text


def test_a_clock_is_late_only_where_that_is_certain() -> None:
    """1. The host is so busy that a probe takes two seconds. 2. Half of that may be the way."""
    (_, clock) = judge_row(node(clock_offset_ms=1114.0, clock_error_ms=1117.0))
    assert (clock.verdict, clock.remedy) == (Verdict.OK, "")
    (_, clock) = judge_row(node(clock_offset_ms=-1114.0, clock_error_ms=3.0))
    assert (clock.verdict, clock.remedy) == (Verdict.WARN, "ssh n1 timedatectl set-ntp true")


def test_whether_an_agent_comes_back_after_a_reboot_is_told() -> None:
    def told(started_by: str) -> list[str]:
        facts = msgspec.structs.replace(WELL, started_by=started_by)
        return [each.text for each in judge_node("n1", facts, ours="1") if each.check == "boot"]

    assert told("") == []  # an agent of an older version
    assert "systemd starts" in told("systemd")[0]
    assert told("ssi up")[0].endswith("after a reboot `ssi up n1`")


def test_pipes_that_are_too_small_for_a_short_post_copy_are_told_with_the_cure() -> None:
    def live(pipe_bytes: int) -> str:
        limits = Limits(pipe_bytes=pipe_bytes)
        facts = msgspec.structs.replace(WELL, has_userfaultfd=True, limits=limits)
        (found,) = [
            each for each in judge_node("n1", facts, ours="0.1.0") if each.check == "live moves"
        ]
        assert found.verdict == "ok"
        return found.text

    assert "pipe" not in live(UNKNOWN)
    assert "pipe" not in live(4 << 20)
    assert "1048576 bytes at the most; sysctl -w fs.pipe-max-size=4194304" in live(1 << 20)


def test_where_criu_cannot_ask_before_it_closes_that_is_told() -> None:
    def live(*, guards_memory: bool) -> str:
        facts = msgspec.structs.replace(WELL, has_userfaultfd=True, guards_memory=guards_memory)
        (found,) = [
            each for each in judge_node("n1", facts, ours="0.1.0") if each.check == "live moves"
        ]
        assert found.verdict == "ok"
        return found.text

    assert "zeros" not in live(guards_memory=True)
    assert "may read zeros if its CRIU is killed while its memory comes" in live(
        guards_memory=False
    )


def test_memory_can_go_ahead_where_the_kernel_tells_what_is_written_to() -> None:
    def live(*, tracks_writes: bool) -> str:
        facts = msgspec.structs.replace(WELL, tracks_writes=tracks_writes)
        (found,) = [
            each for each in judge_node("n1", facts, ours="0.1.0") if each.check == "live moves"
        ]
        return found.text

    assert live(tracks_writes=True).startswith("--live stop, pre")
    can, _, cannot = live(tracks_writes=False).partition("; not ")
    assert "pre" not in can
    assert cannot.startswith("pre: its kernel does not tell what is written to")
