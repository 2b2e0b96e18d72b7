"""What a person at `ssi top` does to processes, jobs and nodes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ssi.protocol.jobs import FreezeJob, SignalProcess
from ssi.protocol.migration import MigrateJob
from ssi.protocol.table import TuneProcess
from tests.faces.fingers import Fingers
from tests.faces.mesh import Mesh
from tests.unit.view.samples import process


def test_a_signal_goes_to_what_the_dialog_showed(tell: Callable[..., Mesh]) -> None:
    """1. The dialog opens on xz.  2. The table sorts itself anew, and under the cursor is another.

    3. The signal is sent, and goes to xz.
    """

    async def story(fingers: Fingers) -> None:
        await fingers.go_to(10000042)
        await fingers.press("f9")
        await fingers.sees("Send signal", "10000042 xz of ada on n1", "15 SIGTERM")
        fingers.top.browser.move_to(0, float("-inf"))
        fingers.mesh.processes["n1"].insert(0, process(gpid=10000001, cpu_s=1e6))
        await fingers.until(lambda: "10000001" in fingers.rows(), "the newcomer")
        await fingers.press("enter")
        await fingers.sees("TERM to 10000042 (xz) on n1: done")
        await fingers.until(lambda: "10000042" not in fingers.rows(), "xz is gone")

    mesh = tell(story)
    assert mesh.changes() == [SignalProcess(gpid=10000042, start_ms=5120, signal=15)]


def test_a_signal_is_not_sent_to_another_process_with_the_same_number(
    tell: Callable[..., Mesh],
) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.go_to(10000042)
        await fingers.press("k")
        await fingers.sees("Send signal")
        fingers.mesh.processes["n1"][0] = process(gpid=10000042, start_ms=777, name="other")
        await fingers.press("9", "enter")
        await fingers.sees("KILL to 10000042 (xz) on n1: not done", "another process has its pid")

    mesh = tell(story)
    assert mesh.find(10000042)[1].name == "other", "it lives"


def test_tagged_processes_are_signalled_wherever_they_run(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        for gpid in (10000043, 20000007):
            await fingers.go_to(gpid)
            await fingers.press("space")
        await fingers.sees("2 tagged")
        await fingers.press("f9", "1", "enter")
        await fingers.sees("HUP to 2 processes: done")
        await fingers.misses("tagged")

    mesh = tell(story)
    assert {(name, body.gpid) for name, body in mesh.asked if isinstance(body, SignalProcess)} == {
        ("n1", 10000043),
        ("n2", 20000007),
    }


def test_more_than_ten_targets_are_confirmed_by_typing_how_many(tell: Callable[..., Mesh]) -> None:
    mesh = Mesh()
    mesh.processes["n2"] = [process(gpid=20000100 + number) for number in range(12)]

    async def story(fingers: Fingers) -> None:
        await fingers.press("n", "down", "down", "enter")
        await fingers.sees("node: n2")
        await fingers.press(*["space"] * 12)
        await fingers.sees("12 tagged")
        await fingers.press("f9", "enter")
        await fingers.sees("type 12 and Enter")
        await fingers.press("1", "enter")
        await fingers.sees("nothing was done")
        await fingers.press("f9", "enter", "1", "2", "enter")
        await fingers.sees("TERM to 12 processes: done")

    assert len(tell(story, mesh).changes()) == 12


def test_a_silent_node_greys_out_and_what_is_done_to_it_is_unknown(
    tell: Callable[..., Mesh], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.model.census.STALE_S", 0.3)
    monkeypatch.setattr("tui.actions.signalling.TIMEOUT_S", 0.2)

    async def story(fingers: Fingers) -> None:
        await fingers.go_to(20000007)
        fingers.mesh.kill_node("n2")
        await fingers.sees("silent: n2", "✗ n2", "dead 12s ago")
        assert "20000007" in fingers.rows(), "its rows stay, and age"
        await fingers.press("k", "enter")
        await fingers.sees("TERM to 20000007 (sleep) on n2: unknown")

    tell(story)


def test_a_job_moves_with_its_targets_judged_before_anything_is_touched(
    tell: Callable[..., Mesh],
) -> None:
    mesh = Mesh()
    mesh.blockers["n1"] = ("/srv/log: another file of that name is there",)

    async def story(fingers: Fingers) -> None:
        await fingers.go_to(15000002)
        await fingers.press("F", "v")
        await fingers.sees("Move to", "another file of that name", "can move", "already")
        assert fingers.mesh.changes() == [], "it was only looked"
        await fingers.type("n1")
        await fingers.press("enter")
        await fingers.sees("Move to")
        assert fingers.mesh.changes() == [], "what cannot be is not begun"
        await fingers.type("n2")
        await fingers.press("enter")
        await fingers.sees("n3 → n2, frozen for 41 ms", "done")
        await fingers.until(lambda: fingers.top.browser.current is not None, "a row")
        followed = fingers.top.browser.current
        assert followed is not None
        assert followed.row.gpid == 15000002, "it was followed"
        await fingers.until(
            lambda: (now := fingers.top.browser.current) is not None and now.node == "n2",
            "to the other node",
        )

    (moved,) = tell(story, mesh).changes()
    assert isinstance(moved, MigrateJob)
    assert (moved.gpid, moved.destination) == (15000001, "n2")


def test_a_job_is_frozen_and_thawed_by_the_same_key(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.go_to(15000001)
        await fingers.press("z")
        await fingers.sees("freeze 15000001 (sh) on n3: done")
        await fingers.press("z")
        await fingers.sees("thaw 15000001 (sh) on n3: done")
        await fingers.go_to(10000042)
        await fingers.press("z")
        await fingers.sees("not done: 10000042 on n1 is no job of ssi")

    frozen = [body.frozen for body in tell(story).changes() if isinstance(body, FreezeJob)]
    assert frozen == [True, False]


def test_readonly_refuses_whatever_would_change_something(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.sees("READ-ONLY")
        for key in ("f9", "v", "V", "z", "A", "r"):
            await fingers.press(key)
            await fingers.sees("not with --readonly")
        await fingers.press(":")
        await fingers.type("kill")
        await fingers.press("enter")
        await fingers.sees("kill: not with --readonly")

    assert tell(story, readonly=True).changes() == []


def test_signals_in_the_panel_are_those_of_the_system(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("k", "end")
        last = max(signal.Signals)
        await fingers.sees(f"{last.value} {last.name}")
        await fingers.press("escape", "q")
        await fingers.until(lambda: not fingers.top.is_running, "it left")

    tell(story)


def test_priorities_and_processors_are_set_on_what_is_chosen(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.go_to(20000007)
        await fingers.press("f8")
        await fingers.sees("nice 1 for 20000007 (sleep) on n2: done", "order held")
        await fingers.press("f8")
        await fingers.sees("nice 2 for 20000007 (sleep) on n2: done")
        await fingers.press("i")
        await fingers.sees("I/O priority", "best effort 4")
        await fingers.type("idle")
        await fingers.press("enter")
        await fingers.sees("I/O priority of 20000007 (sleep) on n2: done")
        await fingers.press("a")
        await fingers.sees("there are 0,1,2,3")
        await fingers.press("ctrl+u", "x")
        await fingers.sees("'x' is no processor")
        await fingers.press("backspace", *"2-9")
        await fingers.sees("there is no processor 4, 5, 6, 7, 8;")
        await fingers.press("enter", "backspace", "3", "enter")
        await fingers.sees("processors of 20000007 (sleep) on n2: done")

    nice, nicer, idle, cpus = tell(story).changes()
    start_ms = 5120
    assert nice == TuneProcess(gpid=20000007, start_ms=start_ms, nice=1)
    assert nicer == TuneProcess(gpid=20000007, start_ms=start_ms, nice=2)
    assert idle == TuneProcess(gpid=20000007, start_ms=start_ms, io_class=3, io_level=0)
    assert cpus == TuneProcess(gpid=20000007, start_ms=start_ms, cpus=(2, 3))


def test_no_shell_is_tried_on_a_node_that_is_dead(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        fingers.mesh.kill_node("n3")
        await fingers.press("tab", "tab", "tab", "tab")
        await fingers.sees("n3   dead")
        await fingers.press("end", "s")
        await fingers.sees("shell on n3: not done: n3 does not answer (silent for 12 s)")

    tell(story)


def test_an_environment_is_shown_as_text(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.go_to(10000042)
        await fingers.press("e")
        await fingers.sees("environment of 10000042 (xz) on n1", "HOME=/home/ada", "TERM=\\x1b[2J")

    tell(story)


def test_jobs_are_acted_on_in_their_own_view(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("j")
        await fingers.sees("15000001 n3")
        await fingers.press("v")
        await fingers.sees("Move to", "can move")
        await fingers.type("n1")
        await fingers.press("enter")
        await fingers.sees("n3 → n1, frozen for 41 ms", "15000001 n1")
        await fingers.press("k", "9", "enter")
        await fingers.sees("KILL to 15000001 (sh) on n1: done")

    assert len(tell(story).changes()) == 2


def test_a_node_is_cordoned_and_drained_once_its_name_is_typed(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("shift+tab", "shift+tab")
        await fingers.sees("n3   alive")
        await fingers.press("down", "c")
        await fingers.sees("cordon n2: done")
        await fingers.press("down", "D")
        await fingers.sees("Type its name")
        await fingers.type("n2")
        await fingers.press("enter")
        await fingers.sees("nothing was done")
        await fingers.press("D")
        await fingers.type("n3")
        await fingers.press("enter")
        await fingers.sees("drain n3: done: 1 job moved; it is cordoned")

    asked = tell(story).asked
    assert [(name, type(body).__name__) for name, body in asked] == [
        ("n2", "CordonNode"),
        ("n3", "CordonNode"),
        ("n3", "MigrateJob"),
    ]


def test_output_of_a_job_is_read_as_text_and_kept(
    tell: Callable[..., Mesh], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def story(fingers: Fingers) -> None:
        await fingers.go_to(15000002)
        await fingers.press("o")
        await fingers.sees("job 15000001 on n3: sh -c work", "one", "two red", "oops\\x07")
        await fingers.press("ctrl+s")
        await fingers.sees("saved in ssi-output-0.txt")
        await fingers.press("escape")
        await fingers.go_to(10000042)
        await fingers.press("o")
        await fingers.sees("not done: 10000042 on n1 is no job of ssi")

    tell(story)
    assert set((tmp_path / "ssi-output-0.txt").read_text().split("\n")) >= {"one", "two red"}


def test_outputs_of_tagged_jobs_are_one_text_whose_lines_name_their_job(
    tell: Callable[..., Mesh],
) -> None:
    mesh = Mesh()
    mesh.processes["n2"].append(process(gpid=25000001, job=25000001, name="b", command=("b",)))

    async def story(fingers: Fingers) -> None:
        for gpid in (15000001, 15000002, 25000001):
            await fingers.go_to(gpid)
            await fingers.press("space")
        await fingers.press("o")
        await fingers.sees("2 jobs: 15000001, 25000001", "15000001 one", "25000001 two red")

    tell(story, mesh)


def test_jobs_go_to_where_they_suit_best(tell: Callable[..., Mesh]) -> None:
    mesh = Mesh()
    mesh.nodes = [
        msgspec.structs.replace(
            row, metrics=msgspec.structs.replace(row.metrics, load=(load, 0.0, 0.0), jobs=0)
        )
        for row, load in zip(mesh.nodes, (3.5, 0.0, 2.0), strict=True)
        if row.metrics is not None
    ]

    async def story(fingers: Fingers) -> None:
        await fingers.go_to(15000001)
        await fingers.press("E")
        await fingers.sees("n2       0.00  can move", "n1       0.88  can move")
        await fingers.press("escape", "V")
        await fingers.sees("n3 → n2, frozen for 41 ms")

    assert len(tell(story, mesh).changes()) == 1
