from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shell.prompt.inquiry import Inquiry
from shell.prompt.knowledge import Knowledge, Question
from shell.prompt.painting import painted
from shell.prompt.spans import LONGEST, spans
from tests.unit.shell.prompt.fake_seat import FakeSeat


def _node(place: str | None) -> str | None:
    return "n1" if place == "" else place


def styles(text: str, knowledge: Knowledge | None = None) -> dict[str, str]:
    rows = painted(text, spans(text), knowledge or Knowledge(), _node, "/")
    return {piece: style for row in rows for style, piece in row if piece.strip()}


def ask(text: str, known: Knowledge, seat: FakeSeat) -> dict[str, str]:
    """The styles after all that is open was asked."""

    async def asked() -> None:
        inquiry = Inquiry(seat, known, lambda: None)
        styles(text, known)
        while await inquiry.ask_once():
            pass

    asyncio.run(asked())
    return styles(text, known)


def test_parts_of_a_line_are_told_apart() -> None:
    assert styles("@n2 make -j8 'a b' $x # why") == {
        "@n2": "placement",
        "make": "command",
        "-j8": "option",
        "'a b'": "string",
        "$x": "variable",
        "# why": "comment",
    }
    found = styles("if a; then b | c; fi")
    assert found["if"] == found["fi"] == "keyword"
    assert found["|"] == "operator"


def test_rows_and_wide_letters_keep_their_places() -> None:
    text = "echo 'ä€😀\nzwei' $x"
    rows = painted(text, spans(text), Knowledge(), lambda _: None, "/")
    assert ["".join(piece for _, piece in row) for row in rows] == text.split("\n")
    assert rows[1][-1] == ("variable", "$x")


@given(st.text(max_size=60))
@example("{\U000f3e03")  # ended the process: see shell.prompt.spans
def test_nothing_is_lost_or_moved(text: str) -> None:
    rows = painted(text, spans(text), Knowledge(), lambda _: "n1", "/")
    assert "\n".join("".join(piece for _, piece in row) for row in rows) == text


def test_red_and_underline_come_only_with_the_answer() -> None:
    known, line = Knowledge(), "cat /etc/passwd /nowhere </nothing; no-such-thing"
    before = styles(line, known)
    assert (before["cat"], before["no-such-thing"]) == ("command", "command")
    after = ask(line, known, FakeSeat())
    assert after["cat"] == "known"
    assert after["no-such-thing"] == after["/nothing"] == "unknown"
    assert after["/etc/passwd"] == "argument valid"
    assert after["/nowhere"] == "argument"


def test_a_node_that_does_not_answer_leaves_no_colour() -> None:
    class Silent(FakeSeat):
        async def query(self, script: str, *, node: str = "", limit_s: float) -> bytes | None:
            return None

    assert ask("no-such-thing", Knowledge(), Silent())["no-such-thing"] == "command"


def test_each_node_is_asked_about_its_own_part() -> None:
    seat = FakeSeat()
    ask("@n2 cat | @n3 wc >out", Knowledge(), seat)
    assert sorted(seat.asked) == ["n2", "n3"]
    parts = {span.value: span.place for span in spans("@n2 cat | @'mem>8G' wc") if span.check}
    assert parts == {"cat": "n2", "wc": None}


def test_what_is_expanded_is_not_asked_about() -> None:
    text = "$x ~/a *.c a{b,c} \"$y\" `id` -o '/b c' d\\ e"
    assert {span.value for span in spans(text) if span.check and span.value} == {
        "~/a",
        "/b c",
        "d e",
        "id",
    }


def test_an_old_answer_is_shown_until_the_new_one_is_there() -> None:
    known = Knowledge()
    question = Question(kind="command", value="x", node="n1", cwd="/")
    known.learn([question], [False])
    known.grow_old()
    assert known.whether(question) is False
    assert known.take_open() == [question]
    known.learn([question], [True])
    assert known.whether(question) is True
    assert known.take_open() == []


def test_a_long_line_has_no_colours() -> None:
    assert spans("a " * LONGEST) == []


@pytest.mark.parametrize(("opening", "closing"), [("$(", ")"), ("${a:-", "}"), ("<(", ")")])
def test_depth_is_bounded(opening: str, closing: str) -> None:
    text = f"echo {opening * 2000}x{closing * 2000}"
    assert 0 < len(spans(text)) < 1000
