"""`ssi top` as a person meets it: keys go in, and what stands on the screen is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from textual import events

from ssi.protocol.jobs import SignalProcess
from ssi.view.text import width
from tests.faces.fingers import Fingers
from tests.faces.mesh import Mesh, connected
from tests.unit.view.samples import node, process
from tui.frame import one_frame
from tui.settings import Settings
from tui.settingsfile import load_settings
from tui.top import Top


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


def test_escape_and_the_next_key_may_come_at_once(tell: Callable[..., Mesh]) -> None:
    async def story(fingers: Fingers) -> None:
        await fingers.press("f9")
        await fingers.sees("Send signal")
        await fingers.press("alt+n")
        await fingers.sees("Show processes on")
        await fingers.misses("Send signal")

    assert tell(story).changes() == []


def test_what_is_typed_at_once_goes_where_it_is_meant(tell: Callable[..., Mesh]) -> None:
    """Keys that are in the queue already when the one before opens a line to type on."""

    async def story(fingers: Fingers) -> None:
        for key in ("f4", "k", "n", "enter", "d"):
            fingers.top.post_message(events.Key(key, key if len(key) == 1 else None))
        await fingers.sees("filter: kn", "0/0 of 6")
        await fingers.press("f4", "ctrl+u", "enter")
        for key in "20000007":
            fingers.top.post_message(events.Key(key, key))
        await fingers.sees("Gpid: 20000007")
        current = fingers.top.browser.current
        assert current is not None
        assert current.row.gpid == 20000007

    assert tell(story).changes() == []


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


def test_threads_stand_under_their_process_and_mean_it(tell: Callable[..., Mesh]) -> None:
    mesh = Mesh()
    thread = process(gpid=10000050, tid=50, thread_of=10000042, name="block-3", command=())
    mesh.threads[10000042] = [msgspec.structs.replace(thread, parent_gpid=10000042)]

    async def story(fingers: Fingers) -> None:
        assert "10000050" not in fingers.rows(), "nobody has asked for them"
        await fingers.press("t", "H")
        await fingers.sees("threads of processes: on", "\\_ {block-3} xz -9 big")
        rows = fingers.rows()
        assert rows.index("10000050") == rows.index("10000042") + 1
        await fingers.go_to(10000050)
        await fingers.press("k", "enter")
        await fingers.sees("TERM to 10000042 (xz) on n1: done")
        await fingers.press("H")
        await fingers.misses("{block-3}")

    assert tell(story, mesh).changes() == [SignalProcess(gpid=10000042, start_ms=5120, signal=15)]


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
