"""What keys mean in a list, on a line that is typed, and in a text."""

from __future__ import annotations

from tui.model.parts import text_of
from tui.modes.mode import Answer
from tui.modes.pager import Pager
from tui.modes.panel import Option, Panel
from tui.modes.prompt import Prompt


def panel(*labels: str) -> Panel:
    return Panel("Choose", [Option(value=label, label=label) for label in labels])


def test_what_is_typed_goes_to_the_option_that_begins_so() -> None:
    chosen = panel("15 SIGTERM", " 9 SIGKILL", "19 SIGSTOP")
    for letter in "ki":
        assert chosen.press(letter) is None
    assert chosen.press("enter") == Answer(" 9 SIGKILL")
    chosen.press("1")
    chosen.press("9")
    assert chosen.press("enter") == Answer("19 SIGSTOP")
    assert chosen.press("escape") == Answer()


def test_what_is_refused_cannot_be_chosen() -> None:
    options = [Option(value="n2", label="n2", notes=("no criu",), refused=True)]
    refusing = Panel("Move to", options)
    assert refusing.press("enter") is None
    text = "\n".join(map(text_of, refusing.side_lines(30, 10)))
    assert "no criu" in text


def test_a_list_that_narrows_takes_nothing_that_was_not_typed() -> None:
    options = [Option(value=name, label=name) for name in ("explain", "drain", "details", "redraw")]
    palette = Panel("Do", options, narrows=True)
    for letter in "dr":
        assert palette.press(letter) is None
    shown = [text_of(line).strip() for line in palette.side_lines(20, 10)]
    assert shown == ["Do: dr", "drain", "redraw"], "what begins so stands first"
    palette.press("x")
    assert palette.press("down") is None
    assert palette.press("enter") is None, "there is no drx"
    palette.press("backspace")
    assert palette.press("enter") == Answer("drain")


def test_a_long_list_scrolls_with_its_cursor() -> None:
    long = panel(*(f"entry {number}" for number in range(100)))
    long.press("end")
    lines = [text_of(line).strip() for line in long.side_lines(20, 10)]
    assert lines[-1] == "entry 99"
    assert len(lines) == 10


def test_on_the_lowest_screen_whom_it_is_about_and_what_is_chosen_are_seen() -> None:
    options = [Option(value=number, label=f"entry {number}") for number in range(9)]
    low = Panel("Send signal", options, about=["42 xz of ada"], cursor=5)
    for height in (1, 2, 3, 4, 8):
        lines = [text_of(line).strip() for line in low.side_lines(20, height)]
        assert "42 xz of ada" in lines
        assert "entry 5" in lines
    assert lines[0] == "Send signal"


def test_an_empty_list_answers_nothing() -> None:
    nothing = panel()
    assert nothing.press("down") is None
    assert nothing.press("enter") is None
    assert nothing.press("x") is None


def test_a_prompt_waits_with_enter_until_its_text_is_understood() -> None:
    def check(text: str) -> None:
        from ssi.model.errors import UsageError

        if text == "bad":
            raise UsageError(text="it is bad", hint="write good")

    prompt = Prompt("Filter:", check=check)
    for letter in "bad":
        prompt.press(letter)
    assert prompt.press("enter") is None
    assert "it is bad; write good" in text_of(prompt.bottom_line())
    prompt.press("backspace")
    assert prompt.press("enter") == Answer("ba")


def test_a_text_that_grows_stays_at_its_end_until_one_goes_up() -> None:
    pager = Pager("job", [], grows=True)
    pager.add("\n".join(map(str, range(100))))
    assert text_of(pager.body_lines(20, 11)[-1]).strip() == "99"
    pager.press("up")
    pager.add("100")
    assert text_of(pager.body_lines(20, 11)[-1]).strip() == "98"
    pager.press("0")
    assert text_of(pager.body_lines(20, 11)[-1]).strip() == "100"
    pager.press("1")
    assert text_of(pager.body_lines(20, 11)[1]).strip() == "0"


def test_a_text_is_plain_and_wraps_or_does_not() -> None:
    pager = Pager("t", ["\x1b[31m" + "x" * 30])
    assert len(pager.body_lines(20, 10)) == 3
    pager.press("w")
    assert len(pager.body_lines(20, 10)) == 2
    assert "\x1b" not in text_of(pager.body_lines(20, 10)[1])


def test_a_text_is_kept_where_asked(tmp_path: object) -> None:
    kept: list[str] = []

    def save(lines: object) -> str:
        assert isinstance(lines, list)
        kept.extend(lines)
        return "saved"

    pager = Pager("t", ["one", "two"], save=save)
    pager.press("ctrl+s")
    assert kept == ["one", "two"]
    assert "saved" in text_of(pager.body_lines(40, 5)[0])
