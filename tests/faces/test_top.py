"""`ssi top` as a person meets it: keys go in, and what stands on the screen is read."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from textual.pilot import Pilot

from ssi.protocol.jobs import FreezeJob, SignalProcess
from ssi.protocol.migration import MigrateJob
from ssi.protocol.table import TuneProcess
from ssi.view.text import width
from tests.faces.mesh import Mesh, connected
from tests.unit.view.samples import node, process
from tui.frame import one_frame
from tui.settings import Settings
from tui.settingsfile import load_settings
from tui.top import Top

LIMIT_S = 60.0
"""Nothing that is waited for takes so long, however busy the machine is."""


class Fingers:
    """A person at `ssi top`, in front of a system that is not there."""

    def __init__(self, mesh: Mesh, top: Top, pilot: Pilot[int]) -> None:
        self.mesh = mesh
        self.top = top
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        """Presses keys one after the other."""
        await self._pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Types a text."""
        names = {" ": "space", "=": "equals_sign", ">": "greater_than_sign"}
        names |= {"!": "exclamation_mark", "|": "vertical_line", "@": "at"}
        await self._pilot.press(*(names.get(character, character) for character in text))

    async def click(self, part: str, x: int, y: int) -> None:
        """Clicks on a part of the screen."""
        await self._pilot.click(f"#{part}", offset=(x, y))

    def screen(self) -> str:
        """What is shown now."""
        strips = self.top.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    def rows(self) -> list[str]:
        """The gpids in the table, from top to bottom."""
        return [str(line.entry.row.gpid) for line in self.top.browser.lines]

    async def sees(self, *texts: str) -> None:
        """Waits until all of the texts are on the screen."""
        await self.until(lambda: all(text in self.screen() for text in texts), f"to see {texts}")

    async def misses(self, text: str) -> None:
        """Waits until a text is not on the screen."""
        await self.until(lambda: text not in self.screen(), f"not to see {text!r}")

    async def until(self, happened: Callable[[], bool], what: str) -> None:
        """Waits until something is so."""
        loop = asyncio.get_running_loop()
        give_up_at_s = loop.time() + LIMIT_S
        while not happened():
            assert loop.time() < give_up_at_s, f"{what}; what is seen:\n{self.screen()}"
            await self._pilot.pause(0.02)

    async def go_to(self, gpid: int) -> None:
        """Puts the cursor on a process by typing its number."""
        await self.type(str(gpid))
        await self.press("enter")
        current = self.top.browser.current
        assert current is not None
        assert current.row.gpid == gpid


Story: TypeAlias = Callable[[Fingers], Coroutine[Any, Any, None]]


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Mesh]:
    """Plays a story in front of a mesh; the order is held until the story itself lets go of it."""
    monkeypatch.setattr("tui.model.browser.HOLD_S", 1e6)

    def play(
        story: Story, mesh: Mesh | None = None, *, size: tuple[int, int] = (100, 30), **set_: Any
    ) -> Mesh:
        mesh = mesh or Mesh()

        async def at_the_screen() -> None:
            async with connected(mesh, tmp_path) as system:
                top = Top(system, Settings(**{"every_s": 0.05, **set_}))
                async with top.run_test(size=size) as pilot:
                    fingers = Fingers(mesh, top, pilot)
                    await fingers.sees("GPID")
                    await story(fingers)

        asyncio.run(at_the_screen())
        return mesh

    return play


def test_processes_of_all_nodes_stand_in_one_table(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.sees("10000042", "20000007", "15000001", "xz -9 big", "● n1", "● n3")
        await fingers.sees("F1Help", "F9Kill", "F10Quit", "CPU%▽")

    tell(story)


def test_a_name_with_controls_and_markup_is_shown_as_plain_text(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.sees("\\x1b]0;x\\x07[red]")
        assert "\x1b" not in fingers.screen()
        await fingers.go_to(20000008)
        await fingers.press("d")
        await fingers.sees("command:", "\\x1b]0;x\\x07[red]")
        assert "\x1b" not in fingers.screen()

    tell(story)


def test_letters_of_htop_sort_and_turn_round(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("N")
        await fingers.sees("GPID△")
        assert fingers.rows() == sorted(fingers.rows(), key=int)
        await fingers.press("I")
        await fingers.sees("GPID▽")
        assert fingers.rows() == sorted(fingers.rows(), key=int, reverse=True)
        await fingers.press("f6", *"user", "enter")
        await fingers.sees("USER△")
        assert fingers.rows()[-1] == "20000007", "root comes after ada"

    tell(story)


def test_a_filter_narrows_while_it_is_typed_and_escape_takes_it_back(
    tell: Callable[..., Mesh],
) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("f4")
        await fingers.type("node=n2 user=root")
        await fingers.until(lambda: fingers.rows() == ["20000007"], "one row")
        await fingers.press("enter")
        await fingers.sees("filter: node=n2 user=root", "1/1 of 6")
        await fingers.press("f4", "ctrl+u")
        await fingers.type("!sleep")
        await fingers.until(lambda: len(fingers.rows()) == 5, "all but one")
        await fingers.press("ctrl+u")
        await fingers.type("colour=red")
        await fingers.sees("there is nothing called 'colour' to filter by")
        await fingers.press("enter", "escape")
        await fingers.until(lambda: fingers.rows() == ["20000007"], "the filter before")

    tell(story)


def test_search_goes_to_the_next_and_the_table_stays_whole(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("/")
        await fingers.type("sleep")
        await fingers.press("enter")
        current = fingers.top.browser.current
        assert current is not None
        assert current.row.gpid == 20000007
        assert len(fingers.rows()) == 6

    tell(story)


def test_the_tree_hangs_a_job_together(tell: Callable[..., Mesh]) -> None:
    mesh = Mesh()
    moved = mesh.processes["n3"].pop()
    mesh.processes["n1"].append(msgspec.structs.replace(moved, parent_gpid=0))

    async def story(fingers: Fingers) -> None:
        await fingers.press("f5")
        await fingers.sees("\\_ work")
        rows = fingers.rows()
        assert rows.index("15000002") == rows.index("15000001") + 1, "on whatever node it runs"
        await fingers.go_to(15000001)
        await fingers.press("-")
        await fingers.misses("\\_ work")
        await fingers.press("+")
        await fingers.sees("\\_ work")

    tell(story, mesh)


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


def test_order_is_held_after_the_cursor_moved(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("down")
        await fingers.sees("order held")
        before = fingers.rows()
        fingers.mesh.busy = {int(before[-1])}
        await fingers.until(
            lambda: fingers.top.browser.lines[-1].entry.cpu_percent > 100, "the last is busiest"
        )
        assert fingers.rows() == before
        fingers.top.browser._held_until_s = float("-inf")  # five seconds later
        await fingers.misses("order held")
        await fingers.until(lambda: fingers.rows()[0] == before[-1], "it is the first now")

    tell(story)


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


def test_pause_keeps_the_screen_as_it_is(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("Z")
        await fingers.sees("PAUSED")
        fingers.mesh.processes["n1"].append(process(gpid=10000099))
        seen = fingers.top.browser.census
        await fingers.until(lambda: seen.find(10000099) is not None, "it was told")
        assert "10000099" not in fingers.rows()
        await fingers.press("Z")
        await fingers.until(lambda: "10000099" in fingers.rows(), "it is shown")

    tell(story)


def test_help_shows_every_key_and_goes_by_escape(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("?")
        await fingers.sees("F9 k", "send a signal", "Esc")
        await fingers.press("escape")
        await fingers.sees("xz -9 big", "F9Kill")

    tell(story, size=(100, 70))


def test_many_nodes_are_one_line_each(tell: Callable[..., Mesh]) -> None:
    mesh = Mesh()
    mesh.nodes += [node(name=f"n{number}", number=number) for number in range(4, 9)]
    mesh.processes |= {f"n{number}": [] for number in range(4, 9)}

    async def story(fingers: Fingers) -> None:
        await fingers.sees("● n8")
        lines = [line for line in fingers.screen().splitlines() if line.startswith("● n")]
        assert len(lines) == 8
        await fingers.press("#")
        await fingers.misses("● n8")

    tell(story, mesh, size=(160, 50))


def test_events_tell_of_the_nodes_and_of_what_was_done_from_here(
    tell: Callable[..., Mesh],
) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.go_to(20000007)
        await fingers.press("k", "enter")
        await fingers.sees("done")
        await fingers.press("L")
        await fingers.sees(" n3   joined", "TERM to 20000007 (sleep) on n2: done")

    tell(story)


def test_one_frame_for_scripts_has_all_rows_and_no_control(tmp_path: Path) -> None:
    async def look() -> str:
        async with connected(Mesh(), tmp_path) as system:
            return await one_frame(system, Settings(), 120)

    frame = asyncio.run(look())
    lines = frame.splitlines()
    assert sum(line.split()[0].isdigit() for line in lines if line.split()) == 6
    assert all(len(line) <= 120 for line in lines)
    assert "\x1b" not in frame
    assert "[red]" in frame


def test_signals_in_the_panel_are_those_of_the_system(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("k", "end")
        last = max(signal.Signals)
        await fingers.sees(f"{last.value} {last.name}")
        await fingers.press("escape", "q")
        await fingers.until(lambda: not fingers.top.is_running, "it left")

    tell(story)


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


def test_priorities_and_processors_are_set_on_what_is_chosen(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.go_to(20000007)
        await fingers.press("f8")
        await fingers.sees("nice 1 for 20000007 (sleep) on n2: done")
        await fingers.press("i")
        await fingers.sees("I/O priority", "best effort 4")
        await fingers.type("idle")
        await fingers.press("enter")
        await fingers.sees("I/O priority of 20000007 (sleep) on n2: done")
        await fingers.press("a")
        await fingers.sees("there are 0,1,2,3")
        await fingers.press("ctrl+u", "x")
        await fingers.sees("'x' is no processor")
        await fingers.press("backspace", *"2-3", "enter")
        await fingers.sees("processors of 20000007 (sleep) on n2: done")

    nice, idle, cpus = tell(story).changes()
    start_ms = 5120
    assert nice == TuneProcess(gpid=20000007, start_ms=start_ms, nice=1)
    assert idle == TuneProcess(gpid=20000007, start_ms=start_ms, io_class=3, io_level=0)
    assert cpus == TuneProcess(gpid=20000007, start_ms=start_ms, cpus=(2, 3))


def test_an_environment_is_shown_as_text(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.go_to(10000042)
        await fingers.press("e")
        await fingers.sees("environment of 10000042 (xz) on n1", "HOME=/home/ada", "TERM=\\x1b[2J")

    tell(story)


def test_tab_goes_through_the_views_and_back(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("tab")
        await fingers.sees("IO/s▽", "READ/s")
        await fingers.until(lambda: fingers.top.feed.with_traffic, "it is asked for")
        await fingers.press("tab")
        await fingers.sees("no node has a GPU")
        await fingers.press("tab")
        await fingers.sees("WAY COMMAND", "15000001 n3", "sh -c work")
        await fingers.press("tab")
        await fingers.sees("RTT VERSION", "n1   alive")
        await fingers.press("tab")
        await fingers.sees("n3  joined")
        await fingers.press("tab")
        await fingers.sees("CPU%▽")
        await fingers.until(lambda: not fingers.top.feed.with_traffic, "it is no longer")
        await fingers.press("shift+tab")
        await fingers.sees("TIME", "WHAT")

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
        await fingers.sees("drain n3: done: 1 jobs moved; it is cordoned")

    asked = tell(story).asked
    assert [(name, type(body).__name__) for name, body in asked] == [
        ("n2", "CordonNode"),
        ("n3", "CordonNode"),
        ("n3", "MigrateJob"),
    ]


def test_settings_are_seen_at_once_and_kept_with_what_they_mean(
    tell: Callable[..., Mesh], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSI_CONFIG_DIR", str(tmp_path / "config"))

    async def story(fingers: Fingers) -> None:
        await fingers.press("f2")
        await fingers.sees("Settings", "theme     dark", "EscKeep")
        await fingers.press("enter")
        await fingers.sees("theme     light")
        await fingers.type("columns")
        await fingers.press("enter")
        await fingers.sees("[ ] TTY")
        await fingers.type("tty")
        await fingers.press("enter")
        await fingers.sees("[x] TTY", "pts/3")
        await fingers.press("escape")
        await fingers.sees("13 columns")
        await fingers.press("escape")
        await fingers.sees("kept in")

    tell(story, size=(160, 40), every_s=0.2, readonly=True)
    text = (tmp_path / "config" / "top.toml").read_text()
    assert "# One of: dark, light, mono." in text
    kept = load_settings()
    assert kept.theme == "light"
    assert "tty" in kept.columns
    assert not kept.readonly, "what was said on the command line is not kept"


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


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (40, 8), (300, 100)])
def test_a_screen_of_any_size_is_drawn(tmp_path: Path, size: tuple[int, int]) -> None:
    async def at_the_screen() -> None:
        async with connected(Mesh(), tmp_path) as asked:
            top = Top(asked, Settings(every_s=0.05))
            async with top.run_test(size=size) as pilot:
                fingers = Fingers(Mesh(), top, pilot)
                await fingers.until(lambda: bool(top.browser.lines), "rows")
                for keys in (("f5",), ("k", "escape"), ("?", "escape"), ("tab",) * 6, ("f4", "x")):
                    await fingers.press(*keys)
                lines = fingers.screen().splitlines()
                assert len(lines) <= size[1]
                assert all(width(line) <= size[0] for line in lines)

    asyncio.run(at_the_screen())


def test_the_mouse_chooses_sorts_and_presses_labels(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.click("body", 3, 0)
        await fingers.sees("GPID△")
        await fingers.click("body", 3, 3)
        current = fingers.top.browser.current
        assert current is not None
        assert str(current.row.gpid) == fingers.rows()[2]
        await fingers.click("bottom", 3, 0)
        await fingers.sees("ssi top: keys")

    tell(story)


def test_colours_are_left_out_where_nobody_wants_them(
    tell: Callable[..., Mesh], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def story(fingers: Fingers) -> None:
        assert all(style.color is None for style in fingers.top._styles_now().values())
        await fingers.sees("xz -9 big")

    tell(story)


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
