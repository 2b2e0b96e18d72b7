from __future__ import annotations

from dataclasses import replace

import pytest

from shell.prompt.appearance import (
    Facts,
    plain_text,
    prompt,
    right,
    shortened,
    signal_of,
    spent,
    title_at_prompt,
    title_at_work,
)

HERE = Facts(node="n2", cwd="/home/ada/src", home="/home/ada")


def shown(facts: Facts, columns: int = 120) -> str:
    return plain_text(prompt(facts, columns))


def test_a_quiet_prompt_says_where_one_is() -> None:
    assert shown(HERE) == "n2 ~/src $ "
    assert shown(replace(HERE, cwd="/home/ada")) == "n2 ~ $ "
    assert shown(replace(HERE, cwd="/home/adalbert", is_root=True)) == "n2 /home/adalbert # "


def test_a_prompt_says_branch_jobs_status_and_time() -> None:
    busy = replace(HERE, branch="main", jobs=2, status=137, duration_s=3.42)
    assert shown(busy) == "n2 ~/src main 2 jobs ✗ 137 (KILL) 3.4s $ "
    assert "x 137 (KILL)" in shown(replace(busy, is_ascii=True))
    assert ("failed-sign", "$") in prompt(busy, 120)


def test_two_seconds_are_not_worth_a_word() -> None:
    assert "s $" not in shown(replace(HERE, cwd="/", duration_s=1.99))
    assert "2.0s" in shown(replace(HERE, duration_s=2.0))


def test_nothing_from_outside_reaches_the_terminal_as_control() -> None:
    hostile = "a\x1b[2Jb\nc\u202e"
    for facts in (
        replace(HERE, cwd=f"/{hostile}"),
        replace(HERE, branch=hostile),
        replace(HERE, node=hostile),
    ):
        assert shown(facts).isprintable()
        assert plain_text(right(replace(facts, problem=hostile), "")).isprintable()


@pytest.mark.parametrize(
    ("path", "cells", "expected"),
    [
        ("~/src/ssi", 20, "~/src/ssi"),
        ("~/projects/ssi/shell", 16, "~/p/ssi/shell"),
        ("~/projects/.config/shell", 12, "~/p/.c/shell"),
        ("/a/very-long-name-of-a-directory", 12, "very-long..."),
    ],
)
def test_a_path_is_shortened_from_the_left(path: str, cells: int, expected: str) -> None:
    assert shortened(path, cells) == expected


def test_a_long_place_leaves_room_for_the_line() -> None:
    deep = replace(HERE, cwd="/usr/share/" + "directory/" * 30 + "x" * 300, branch="b" * 300)
    assert len(shown(deep, 80)) <= 80


@pytest.mark.parametrize(
    ("status", "name"), [(137, "KILL"), (130, "INT"), (139, "SEGV"), (1, ""), (128, ""), (255, "")]
)
def test_a_status_tells_its_signal(status: int, name: str) -> None:
    assert signal_of(status) == name


@pytest.mark.parametrize(
    ("duration_s", "text"), [(3.42, "3.4s"), (59.9, "59.9s"), (61, "1m01s"), (3725, "1h02m")]
)
def test_time_is_said_as_people_say_it(duration_s: float, text: str) -> None:
    assert spent(duration_s) == text


def test_the_right_says_the_time_unless_the_node_is_in_trouble() -> None:
    assert plain_text(right(HERE, "12:30")) == "12:30"
    assert plain_text(right(replace(HERE, problem="suspect"), "12:30")) == "n2 is suspect"


def test_titles_say_where_and_what() -> None:
    assert title_at_prompt(HERE) == "n2:~/src"
    assert title_at_work("n2", " make -j8\nls") == "n2: make -j8"
