"""The table under the fingers: where the cursor is, what is held, what is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from ssi.model.job import Whereabouts
from ssi.model.process import ProcessRow
from tests.unit.view.samples import process
from tui.model.browser import HOLD_S, Browser, window
from tui.model.census import STALE_S, Census
from tui.model.choice import Choice
from tui.model.entry import Identity


def told(
    census: Census, node: str, rows: Sequence[ProcessRow], at_s: float, *departed: Whereabouts
) -> None:
    census.hear(node, rows, taken_at_s=at_s, memory_bytes=8 << 30, now_s=at_s, departed=departed)


def three() -> Browser:
    """Processes 1, 2, 3 of n1; 3 is the busiest."""
    census = Census()
    rows = [process(gpid=10000000 + n, pid=n, cpu_percent=float(n)) for n in (1, 2, 3)]
    told(census, "n1", rows, 100.0)
    browser = Browser(census)
    browser.rearrange(100.0)
    return browser


def pids(browser: Browser) -> list[int]:
    return [line.entry.row.pid for line in browser.lines]


def spend(browser: Browser, pid: int, at_s: float) -> None:
    """One process was busy for a second until then, the others were not."""
    rows = [line.entry.row for line in sorted(browser.lines, key=lambda li: li.entry.row.pid)]
    fresh = [
        process(gpid=row.gpid, pid=row.pid, cpu_s=row.cpu_s + (row.pid == pid)) for row in rows
    ]
    told(browser.census, "n1", fresh, at_s)


def test_cpu_use_is_that_between_two_looks() -> None:
    browser = three()
    assert pids(browser) == [3, 2, 1], "before, that over the lifetime"
    spend(browser, 1, 102.0)
    browser.rearrange(102.0)
    assert browser.lines[0].entry.cpu_percent == 50.0
    assert pids(browser)[0] == 1


def test_another_process_with_the_number_of_an_old_one_inherits_no_cpu_use() -> None:
    browser = three()
    told(browser.census, "n1", [process(gpid=10000001, start_ms=9, cpu_s=999.0)], 101.0)
    browser.rearrange(101.0)
    assert browser.lines[0].entry.cpu_percent == process().cpu_percent


def test_order_is_held_for_five_seconds_after_the_cursor_moved() -> None:
    browser = three()
    browser.move(1, 100.0)
    spend(browser, 1, 102.0)
    browser.rearrange(100.0 + HOLD_S - 0.1)
    assert pids(browser) == [3, 2, 1]
    assert browser.current is not None
    assert browser.current.row.pid == 2
    browser.rearrange(100.0 + HOLD_S + 0.1)
    assert pids(browser)[0] == 1


def test_cursor_stays_on_its_process_when_one_above_ends_while_order_is_held() -> None:
    browser = three()
    browser.move(1, 100.0)
    kept = [line.entry.row for line in browser.lines if line.entry.row.pid != 3]
    told(browser.census, "n1", kept, 101.0)
    browser.rearrange(101.0)
    assert browser.current is not None
    assert browser.current.row.pid == 2


def test_newcomers_stand_at_the_end_while_order_is_held() -> None:
    browser = three()
    browser.move(1, 100.0)
    rows = [line.entry.row for line in browser.lines]
    told(browser.census, "n1", [*rows, process(gpid=10000009, pid=9, cpu_percent=99.0)], 101.0)
    browser.rearrange(101.0)
    assert pids(browser) == [3, 2, 1, 9]


def test_shape_of_a_tree_stays_until_rows_or_what_is_hidden_differ() -> None:
    census = Census()
    rows = [process(gpid=10000000 + n, pid=n, parent_gpid=10000000 + n // 2) for n in range(1, 8)]
    told(census, "n1", rows, 100.0)
    browser = Browser(census, Choice(tree=True))
    browser.rearrange(100.0)
    shape, prefixes = browser.lines.tree, [line.prefix for line in browser.lines]
    assert pids(browser) == [1, 2, 4, 5, 3, 6, 7]
    rows = [msgspec.structs.replace(row, cpu_s=9.0) for row in rows]
    told(census, "n1", rows, 102.0)
    browser.rearrange(102.0)
    assert browser.lines.tree is shape
    assert {line.entry.row.cpu_s for line in browser.lines} == {9.0}, "rows are new all the same"
    assert [line.prefix for line in browser.lines[2:4]] == prefixes[2:4]
    browser.find_gpid("10000003", 102.0)
    browser.toggle_closed()
    browser.rearrange(102.0)
    assert pids(browser) == [1, 2, 4, 5, 3]
    told(census, "n1", [row for row in rows if row.pid != 4], 103.0)
    browser.rearrange(103.0)
    assert pids(browser) == [1, 2, 5, 3]
    assert browser.current is not None
    assert browser.current.row.pid == 3


def test_following_stays_on_a_process_that_moves_to_another_node() -> None:
    census = Census()
    job = process(gpid=15000001, job=15000001, cpu_percent=1.0)
    told(census, "n1", [job, process(gpid=10000002)], 100.0)
    told(census, "n2", [process(gpid=20000001, cpu_percent=9.0)], 100.0)
    browser = Browser(census)
    browser.rearrange(100.0)
    browser.find_gpid("15000001", 100.0)
    browser.follow()
    told(census, "n1", [process(gpid=10000002)], 120.0)
    told(census, "n2", [process(gpid=20000001, cpu_percent=9.0), job], 120.0)
    browser.rearrange(120.0)
    assert browser.current is not None
    assert (browser.current.node, browser.current.row.gpid) == ("n2", 15000001)


def test_process_that_two_nodes_tell_of_is_shown_where_it_was_told_of_last() -> None:
    census = Census()
    job = process(gpid=15000001, job=15000001)
    told(census, "n1", [job], 100.0)
    told(census, "n2", [job], 101.0)
    assert [entry.node for entry in census.entries()] == ["n2"]


def test_rows_of_a_silent_node_stay_and_age() -> None:
    census = Census()
    told(census, "n1", [process()], 100.0)
    census.miss("n1", "n1 does not answer")
    assert len(census.entries()) == 1
    assert not census.is_stale("n1", 100.0 + STALE_S)
    assert census.is_stale("n1", 100.1 + STALE_S)
    assert census.age_s("n1", 112.0) == 12.0
    census.forget(["n2"])
    assert census.entries() == [], "it was taken out of the system"


def test_nobody_is_silent_who_was_not_asked() -> None:
    census = Census()
    told(census, "n1", [process()], 100.0)
    census.excuse(60.0)
    assert not census.is_stale("n1", 161.0)
    assert census.age_s("n1", 161.0) == 1.0


def test_changes_are_taken_in_as_if_all_had_been_told() -> None:
    census = Census()
    busy, idle, ended = (process(gpid=10000000 + n, cpu_s=1.0) for n in (1, 2, 3))
    told(census, "n1", [busy, idle, ended], 100.0)
    fresh = process(gpid=10000001, cpu_s=2.0)
    census.hear_change(
        "n1", [fresh], [10000003], taken_at_s=102.0, memory_bytes=8 << 30, now_s=102.0
    )
    found = {entry.row.gpid: entry.cpu_percent for entry in census.entries()}
    assert found == {10000001: 50.0, 10000002: 0.0}
    assert census.age_s("n1", 102.0) == 0.0


def test_what_left_with_its_job_is_shown_until_it_is_told_of_elsewhere() -> None:
    """n1 tells that it has gone to n2 before n2, which was asked earlier, tells that it has it."""
    census, job = Census(), 15000001
    moving = [process(gpid=job, job=job), process(gpid=job + 1, job=job)]
    told(census, "n1", [*moving, process(gpid=10000002)], 100.0)
    told(census, "n2", [], 100.0)
    away = Whereabouts(job, 2, "n2")
    census.hear_change(
        "n1",
        [],
        [job, job + 1, 10000002],
        taken_at_s=101.0,
        memory_bytes=8 << 30,
        now_s=101.0,
        departed=[away],
    )
    assert set(census.by_gpid()) == {job, job + 1}, "and what has ended is gone"
    assert census.find(job) is not None
    told(census, "n2", [], 101.1)
    assert set(census.by_gpid()) == {job, job + 1}
    told(census, "n2", [moving[0]], 102.0)
    assert {gpid: entry.node for gpid, entry in census.by_gpid().items()} == {job: "n2"}


def test_what_went_further_is_waited_for_there_and_not_for_ever() -> None:
    census, job = Census(), 15000001
    told(census, "n1", [process(gpid=job, job=job)], 100.0)
    told(census, "n1", [], 101.0, Whereabouts(job, 2, "n2"))
    told(census, "n2", [], 101.1, Whereabouts(job, 3, "n3"))
    told(census, "n2", [], 102.1)
    told(census, "n2", [], 103.1)
    assert set(census.by_gpid()) == {job}
    told(census, "n3", [], 103.2)
    assert set(census.by_gpid()) == {job}
    told(census, "n3", [], 104.2)
    assert census.by_gpid() == {}, "it has ended there"
    assert census.find(job) is None


def test_tags_are_what_is_meant_and_the_cursor_where_there_are_none() -> None:
    browser = three()
    assert [target.gpid for target in browser.targets()] == [10000003]
    browser.tags = {Identity(10000001, 5120), Identity(10000002, 5120), Identity(99, 1)}
    assert [target.gpid for target in browser.targets()] == [10000001, 10000002]


def test_children_are_tagged_with_their_parent() -> None:
    browser = three()
    rows = [
        process(gpid=1, parent_gpid=0),
        process(gpid=2, parent_gpid=1),
        process(gpid=3, parent_gpid=2),
        process(gpid=4, parent_gpid=0),
    ]
    told(browser.census, "n1", rows, 101.0)
    browser.choose(replace(browser.choice, sort="gpid"), 101.0)
    browser.move_to(0, 101.0)
    browser.tag_children()
    assert {identity.gpid for identity in browser.tags} == {1, 2, 3}


def test_threads_of_the_kernel_are_hidden_unless_wanted() -> None:
    browser = three()
    kernel = process(
        gpid=10000007, pid=7, parent_gpid=10000002, command=(), vsize_bytes=0, name="kworker"
    )
    told(browser.census, "n1", [kernel, process()], 101.0)
    browser.rearrange(101.0)
    assert pids(browser) == [42]
    browser.choose(replace(browser.choice, kernel_threads=True), 101.0)
    assert sorted(pids(browser)) == [7, 42]


def test_window_keeps_the_cursor_in_sight_and_the_screen_full() -> None:
    assert window(0, 5, 10, 100) == 0
    assert window(0, 10, 10, 100) == 1
    assert window(50, 40, 10, 100) == 40
    assert window(95, 99, 10, 100) == 90
    assert window(5, 0, 10, 3) == 0


def test_a_thread_stands_for_its_process_in_all_that_is_done() -> None:
    browser = three()
    thread = process(
        gpid=10000050, pid=42, tid=50, thread_of=10000042, start_ms=9, name="io", command=()
    )
    told(browser.census, "n1", [process(), thread], 101.0)
    browser.choose(replace(browser.choice, threads=True, sort="gpid"), 101.0)
    assert [line.entry.row.gpid for line in browser.lines] == [10000042, 10000050]
    assert browser.find_gpid("50", 101.0), "by its tid"
    assert browser.current is not None
    assert browser.command(browser.current) == "{io} xz -9 big file"
    (target,) = browser.targets()
    assert (target.gpid, target.start_ms, target.name) == (10000042, 5120, "xz")
    browser.tag(101.0)
    assert browser.tags == {Identity(10000042, 5120)}
    told(browser.census, "n1", [thread], 102.0)
    browser.tags.clear()
    assert browser.targets() == (), "its process has ended"
