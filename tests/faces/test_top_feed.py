"""What `ssi top` asks of the agents, and what it does where one answers otherwise or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ssi.model.counters import ProcessGpu
from tests.faces.fingers import Fingers
from tests.faces.mesh import Mesh
from tests.unit.view.samples import process


def test_only_what_changes_is_sent_again(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        first = fingers.mesh.told_rows
        assert first == 6
        fingers.mesh.spend(10000042, 5.0)
        busy = fingers.top.browser.census.find
        await fingers.until(
            lambda: (now := busy(10000042)) is not None and now.row.cpu_s > 5, "it was told"
        )
        assert fingers.mesh.told_rows == 7
        await fingers.sees("psi 1/0/2%")

    tell(story)


def test_an_older_agent_is_asked_for_all_of_its_table(tell: Callable[..., Mesh]) -> None:
    mesh = Mesh()
    mesh.older.add("n2")

    async def story(fingers: Fingers) -> None:
        await fingers.until(lambda: "20000007" in fingers.rows(), "its rows")
        assert len(fingers.rows()) == 6

    tell(story, mesh)


def test_processes_are_sorted_by_their_use_of_gpus_which_is_asked_for_only_then(
    tell: Callable[..., Mesh],
) -> None:
    mesh = Mesh()
    mesh.gpus = {
        "n2": (ProcessGpu(gpid=20000007, percent=37.5, memory_bytes=3 << 30),),
        "n3": (ProcessGpu(gpid=15000002, percent=88.0, memory_bytes=1 << 30),),
    }

    async def story(fingers: Fingers) -> None:
        assert not fingers.top.feed.with_gpus
        await fingers.press("G")
        await fingers.sees("GPU%▽", "GMEM")
        await fingers.until(lambda: fingers.rows()[:2] == ["15000002", "20000007"], "the order")
        await fingers.sees("88.0  1.0G", "37.5  3.0G")
        mesh.gpus["n3"] = ()
        await fingers.until(lambda: fingers.rows()[0] == "20000007", "it has let go of its GPU")
        await fingers.press("f4")
        await fingers.type("gpu>30")
        await fingers.press("enter")
        await fingers.until(lambda: fingers.rows() == ["20000007"], "the others are filtered")
        await fingers.press("tab", "tab")
        await fingers.sees("20000007 sleep of root", "38%", "3.0G")
        await fingers.press("k")
        await fingers.sees("Send signal", "20000007 sleep of root on n2")
        await fingers.press("escape", "tab", "tab", "tab", "tab")
        await fingers.sees("CPU%▽")
        await fingers.until(lambda: not fingers.top.feed.with_gpus, "it is asked for no longer")
        for typed, shown in (("gmem", "GMEM▽"), ("io", "IO/s▽")):
            await fingers.press("f6")
            await fingers.type(typed)
            await fingers.press("enter")
            await fingers.sees(shown)

    tell(story, mesh)


def test_a_door_that_closes_is_told_and_found_again(
    tell: Callable[..., Mesh], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = tmp_path / "door.sock"
    monkeypatch.setenv("SSI_DOOR", str(door))

    async def story(fingers: Fingers) -> None:
        await fingers.mesh.close()
        await fingers.sees("the agent of this machine does not answer")
        assert len(fingers.rows()) == 6, "what was known stays"
        await fingers.go_to(20000007)
        await fingers.press("k", "enter")
        await fingers.sees("TERM to 20000007 (sleep) on n2: unknown")
        await fingers.mesh.open(door)
        await fingers.misses("the agent of this machine does not answer")
        fingers.mesh.processes["n1"].append(process(gpid=10000099))
        await fingers.until(lambda: "10000099" in fingers.rows(), "what is new")

    assert tell(story).changes() == []
