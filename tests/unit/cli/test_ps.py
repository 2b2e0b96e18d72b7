"""`ssi ps`: what it asks, shows, and leaves out."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import pytest

from ssi.cli import ps as command
from ssi.cli import screen
from ssi.protocol.refusals import TimedOut
from ssi.protocol.system import ListProcesses
from tests.unit.cli.fake_system import CommandLine
from tests.unit.view.samples import process


@pytest.fixture
def ps(command_line: Callable[[Callable[..., None]], CommandLine]) -> CommandLine:
    return command_line(command.ps)


def gpids(table: str) -> list[str]:
    return [line.split()[0] for line in table.splitlines()]


def test_processes_of_all_nodes_stand_in_the_order_of_the_nodes(ps: CommandLine) -> None:
    status, out, err = ps.run()
    assert (status, err) == (0, "")
    assert gpids(out) == ["GPID", "10000042", "20000007", "15000001"]
    assert out.splitlines()[2].endswith(" [sleep]")


def test_node_that_is_dead_is_named_and_the_others_are_shown(ps: CommandLine) -> None:
    ps.system.kill("n3")
    status, out, err = ps.run()
    assert status == 4
    assert gpids(out) == ["GPID", "10000042", "20000007"]
    assert (
        err
        == "ssi: n3: does not answer (silent for 12 s); its processes are not shown [node-down]\n"
    )
    assert "n3" not in [node for node, _, _ in ps.system.asked]


def test_nodes_that_fail_alike_are_folded_into_one_line(ps: CommandLine) -> None:
    for name in ("n2", "n3"):
        ps.system.failures[name] = TimedOut(node=name, request="ListProcesses", after_s=2.0)
    status, out, err = ps.run()
    assert (status, gpids(out)) == (4, ["GPID", "10000042"])
    assert len(err.splitlines()) == 1
    assert err.startswith("ssi: n[2-3]: did not answer ListProcesses within 2.0 s; ")


def test_json_of_a_partial_answer_is_whole_json(ps: CommandLine) -> None:
    ps.system.kill("n3")
    status, out, _ = ps.run("--json")
    assert status == 4
    assert [o["node"] for o in json.loads(out)] == ["n1", "n2"]


def test_only_named_nodes_are_asked(ps: CommandLine) -> None:
    status, out, _ = ps.run("-n", "n2", "--timeout", "1.5")
    assert (status, gpids(out)) == (0, ["GPID", "20000007"])
    assert ps.system.asked[1:] == [("n2", ListProcesses(), 1.5)]


def test_unknown_node_is_a_usage_error_with_the_known_ones(ps: CommandLine) -> None:
    status, out, err = ps.run("-n", "n9")
    assert (status, out) == (2, "")
    assert "no node is called 'n9'" in err
    assert "n[1-3]" in err


def test_jobs_are_chosen_by_the_nodes_and_shown_with_their_job(ps: CommandLine) -> None:
    status, out, _ = ps.run("--jobs")
    assert (status, gpids(out)) == (0, ["GPID", "15000001"])
    assert out.splitlines()[0].split()[:2] == ["GPID", "JOB"]


def test_users_pattern_sort_and_columns_work_together(ps: CommandLine) -> None:
    assert ps.run("-u", "ada", "--sort", "gpid", "-o", "gpid=")[1] == "10000042\n15000001\n"
    assert ps.run("--sort", "-%cpu", "-o", "gpid=")[1].split()[0] == "10000042"
    assert ps.run("xz", "-o", "args=")[1] == "xz -9\n"
    assert ps.run("--no-headers", "-o", "node")[1] == "n1\nn2\nn3\n"


def test_nothing_found_is_told_by_the_exit_code(ps: CommandLine) -> None:
    assert ps.run("no such program", "-o", "gpid=") == (1, "", "")
    assert ps.run("-u", "nobody", "--json") == (1, "[]\n", "")


@pytest.mark.parametrize(
    "words", [("-o", "colour"), ("--sort", "colour"), ("(",), ("--every", "0")]
)
def test_what_cannot_be_understood_is_refused_before_anybody_is_asked(
    ps: CommandLine, words: tuple[str, ...]
) -> None:
    status, out, err = ps.run(*words)
    assert (status, out) == (2, "")
    assert err
    assert ps.system.asked == []


def test_command_that_looks_for_a_pattern_does_not_find_itself(ps: CommandLine) -> None:
    own = process(gpid=10000000 + 77, pid=os.getpid(), command=("ssi", "ps", "xz"))
    ps.system.processes["n1"].append(own)
    ps.system.processes["n2"].append(own)  # the same pid, but another machine
    assert len(ps.run("xz", "-o", "gpid=")[1].split()) == 2
    assert len(ps.run("-o", "gpid=")[1].split()) == 5


def test_tree_hangs_a_process_below_its_parent_on_another_node(ps: CommandLine) -> None:
    ps.system.processes["n2"] = [process(gpid=15000002, parent_gpid=15000001, job=15000001)]
    out = ps.run("--tree", "-o", "node=,comm=")[1]
    assert out == "n1 xz\nn3 sh\nn2  \\_ xz\n"


def test_escapes_in_names_reach_no_terminal(ps: CommandLine) -> None:
    ps.system.processes["n1"] = [process(command=("\x1b]2;owned\x07",))]
    assert "\x1b" not in ps.run()[1]
    assert "\x1b" not in ps.run("--json")[1]


def test_columns_of_the_environment_cut_lines_off_a_terminal(
    ps: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert max(map(len, ps.run()[1].splitlines())) == 20


def interrupt_after(monkeypatch: pytest.MonkeyPatch, looks: int) -> list[float]:
    """Lets so many looks happen, then ^C, without waiting; the waits that were asked for."""
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == looks:
            raise KeyboardInterrupt

    monkeypatch.setattr(screen, "sleep", wait)
    return waits


def test_watched_json_is_a_line_for_each_look_and_one_notice(
    ps: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ps.system.kill("n3")
    waits = interrupt_after(monkeypatch, 3)
    status, out, err = ps.run("--watch", "--every", "7", "--json")
    assert status == -signal.SIGINT
    assert waits == [7.0, 7.0, 7.0]
    assert [len(json.loads(line)) for line in out.splitlines()] == [2, 2, 2]
    assert len(err.splitlines()) == 1


def test_threads_follow_their_process_and_are_named_by_it(ps: CommandLine) -> None:
    thread = process(gpid=10000050, tid=50, thread_of=10000042, name="io", command=())
    ps.system.processes["n1"].append(thread)
    status, out, _ = ps.run("-n", "n1", "-L")
    assert status == 0
    assert ps.system.asked[1][1] == ListProcesses(threads=True)
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][:2] == ["GPID", "LWP"]
    assert [line[:2] for line in lines[1:]] == [["10000042", "-"], ["10000042", "50"]]
    assert lines[2][-3:] == ["io", "xz", "-9"]
    found = json.loads(ps.run("-n", "n1", "-L", "--json")[1])
    assert [(each["gpid"], each["tid"]) for each in found] == [(10000042, None), (10000042, 50)]
    assert ps.run("-n", "n1", "-L", "-o", "name")[1] == "10000042\n"
