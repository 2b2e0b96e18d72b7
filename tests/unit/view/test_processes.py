"""The process table as people see it."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest

from ssi.model.errors import UsageError
from ssi.view.columns import (
    DEFAULT_COLUMNS,
    JOB_COLUMNS,
    Moment,
    Placed,
    column_names,
    command_text,
    parse_columns,
    start_text,
)
from ssi.view.processes import render_processes, select_processes, sort_processes
from tests.unit.view.samples import NOON_S, process

MOMENT = Moment(now_s=NOON_S, zone=UTC)


def placed(**changes: object) -> Placed:
    return Placed("n1", process(**changes), 1 << 30)


def table(rows: list[Placed], columns: str = DEFAULT_COLUMNS, *, tree: bool = False) -> list[str]:
    text = render_processes(rows, parse_columns(columns), MOMENT, tree=tree)
    return text.splitlines()


def test_default_columns_are_those_of_ps_aux_and_the_node() -> None:
    assert table([placed()]) == [
        "    GPID NODE USER S NI %CPU %MEM    VSZ   RSS TTY   START TIME COMMAND",
        "10000042 n1   ada  S  0  5.2  1.0 102400 10240 pts/3 11:00 3:07 xz -9 big file",
    ]


def test_process_of_a_job_shows_its_job() -> None:
    header, line = table([placed(job=10000040)], JOB_COLUMNS)
    assert header.split()[:2] == ["GPID", "JOB"]
    assert line.split()[:2] == ["10000042", "10000040"]


def test_every_named_column_can_be_shown_and_sorted_by() -> None:
    rows = [placed(), placed(gpid=10000043, name="a")]
    for name in column_names():
        assert len(table(rows, name)) == 3
        assert len(sort_processes(rows, f"-{name}")) == 2


def test_columns_are_named_as_in_ps_and_may_be_titled_anew() -> None:
    assert table([placed()], "gpid,user=OWNER,args=") == [
        "    GPID OWNER",
        "10000042 ada   xz -9 big file",
    ]
    assert table([placed()], "pcpu comm") == ["%CPU COMMAND", " 5.2 xz"]


def test_no_header_stands_where_no_column_has_a_title() -> None:
    assert table([placed()], "gpid=,comm=") == ["10000042 xz"]


@pytest.mark.parametrize("columns", ["gpid,colour", "=x", ",", ""])
def test_unknown_column_is_named_with_the_known_ones(columns: str) -> None:
    with pytest.raises(UsageError, match=r"-o.*columns: gpid, ppid"):
        parse_columns(columns)


def test_process_without_arguments_shows_its_name_in_brackets() -> None:
    assert command_text(process(command=())) == "[xz]"


def test_zombie_is_marked() -> None:
    assert command_text(process(command=(), state="Z")) == "[xz] <defunct>"


def test_name_with_escapes_reaches_no_terminal() -> None:
    (line,) = table([placed(command=("x\x1b]0;owned\x07", "a\nb"))], "args=")
    assert line == "x\\x1b]0;owned\\x07 a\\nb"


@pytest.mark.parametrize(
    ("ago_s", "text"),
    [(60, "11:59"), (11 * 3600, "01:00"), (13 * 3600, "2025"), (400 * 86_400, "2024")],
)
def test_start_is_a_time_of_day_then_a_year(ago_s: int, text: str) -> None:
    assert start_text(NOON_S - ago_s, MOMENT) == text


def test_start_of_another_day_this_year_is_that_day() -> None:
    later = Moment(now_s=NOON_S + 5 * 86_400, zone=UTC)
    assert start_text(NOON_S, later) == "Jan01"


def test_start_is_told_in_the_zone_of_the_reader() -> None:
    tokyo = Moment(now_s=NOON_S, zone=timezone(timedelta(hours=9)))
    assert start_text(NOON_S, tokyo) == "21:00"


def test_memory_share_is_of_the_node_that_has_the_process() -> None:
    small, large = Placed("a", process(), 1 << 30), Placed("b", process(), 100 << 30)
    unknown = Placed("c", process())
    assert table([small, large, unknown], "%mem=") == ["1.0", "0.0", "0.0"]
    assert [p.node for p in sort_processes([unknown, large, small], "-%mem")] == ["a", "b", "c"]


def test_sorting_takes_several_keys_with_signs() -> None:
    rows = [
        placed(gpid=1, cpu_percent=1.0, rss_bytes=5),
        placed(gpid=2, cpu_percent=9.0, rss_bytes=7),
        placed(gpid=3, cpu_percent=9.0, rss_bytes=6),
    ]
    assert [p.row.gpid for p in sort_processes(rows, "-%cpu,+rss")] == [3, 2, 1]
    assert [p.row.gpid for p in sort_processes(rows, "")] == [1, 2, 3]


def test_numbers_sort_as_numbers() -> None:
    rows = [placed(rss_bytes=100 << 20), placed(rss_bytes=9 << 20)]
    assert [p.row.rss_bytes >> 20 for p in sort_processes(rows, "rss")] == [9, 100]


def test_unknown_key_is_refused() -> None:
    with pytest.raises(UsageError, match="--sort: there is no column 'colour'"):
        sort_processes([], "-colour")


def test_tree_draws_children_before_the_command_over_nodes() -> None:
    rows = [
        Placed("n1", process(gpid=1, parent_gpid=0, command=("init",))),
        Placed("n1", process(gpid=2, parent_gpid=1, command=("sh",))),
        Placed("n2", process(gpid=9, parent_gpid=2, command=("xz",))),
        Placed("n1", process(gpid=3, parent_gpid=1, command=("cron",))),
    ]
    assert table(rows, "node,args", tree=True) == [
        "NODE COMMAND",
        "n1   init",
        "n1    \\_ sh",
        "n2    |   \\_ xz",
        "n1    \\_ cron",
    ]


def test_tree_is_drawn_whatever_the_command_is_titled() -> None:
    rows = [placed(gpid=1), placed(gpid=2, parent_gpid=1)]
    assert table(rows, "comm=WHAT", tree=True) == ["WHAT", "xz", " \\_ xz"]


@pytest.mark.parametrize("pattern", ["^xz", "big f", "xz -9", "10000042", "b.g"])
def test_pattern_is_looked_for_in_the_whole_command_line(pattern: str) -> None:
    assert len(select_processes([placed()], pattern=pattern)) == 1


@pytest.mark.parametrize("pattern", ["gzip", "1000004", "^big"])
def test_processes_that_do_not_match_are_left_out(pattern: str) -> None:
    assert select_processes([placed()], pattern=pattern) == []


def test_pattern_finds_hidden_commands_by_their_name() -> None:
    assert select_processes([placed(command=())], pattern="^xz$") == [placed(command=())]


def test_pattern_that_is_none_is_refused_with_advice() -> None:
    with pytest.raises(UsageError, match="regular expression"):
        select_processes([], pattern="(")


def test_users_are_chosen_by_name() -> None:
    rows = [placed(user="root"), placed(user="ada"), placed(user="1001")]
    chosen = select_processes(rows, users={"ada", "1001"})
    assert [p.row.user for p in chosen] == ["ada", "1001"]


def test_processes_are_sorted_by_names_of_the_json_too() -> None:
    rows = [
        Placed("n1", process(gpid=1, rss_bytes=5, job=0)),
        Placed("n1", process(gpid=2, rss_bytes=9, job=15000001)),
        Placed("n1", process(gpid=3, rss_bytes=7, job=0)),
    ]
    assert [p.row.gpid for p in sort_processes(rows, "-rss_bytes")] == [2, 3, 1]
    assert [p.row.gpid for p in sort_processes(rows, "job,-rss_bytes")] == [3, 1, 2]
    with pytest.raises(UsageError, match="no column 'rss_octets'"):
        sort_processes(rows, "rss_octets")
