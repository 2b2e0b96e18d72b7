"""Lines as they are drawn: as wide as the screen, and with nothing that a terminal obeys."""

from __future__ import annotations

import msgspec
import pytest

from ssi.model.counters import HostCounters
from ssi.model.node import NodeState
from ssi.view.text import width
from tests.unit.tui.samples import entry
from tests.unit.view.samples import GPU, METRICS, node
from tui.model.bottom import key_bar, news_lines
from tui.model.cards import CARD_LINES, cores_text, node_lines
from tui.model.columns import time_text
from tui.model.entry import command_shown
from tui.model.lineedit import LineEdit
from tui.model.meters import meters_between
from tui.model.parts import Part, Tone, fitted, text_of, wrapped


def test_cards_stand_beside_each_other_where_there_is_room() -> None:
    rows = [node(name=f"n{number}") for number in range(1, 4)]
    assert len(node_lines(rows, {}, columns=160, lines=50)) == CARD_LINES
    assert len(node_lines(rows, {}, columns=80, lines=50)) == 3 * CARD_LINES
    assert len(node_lines(rows, {}, columns=80, lines=24)) == 3, "folded on a small screen"


def test_cards_keep_apart_however_much_they_tell() -> None:
    busy = msgspec.structs.replace(METRICS, load=(100.0, 100.0, 100.0), processes=123456, jobs=1)
    rows = [node(name=f"node-with-a-long-name-{number}", metrics=busy) for number in range(3)]
    first = text_of(node_lines(rows, {}, columns=160, lines=50)[0])
    assert first.count(" ● node-with-a-long-name-") == 2
    assert " 1 job" in text_of(node_lines(rows[:1], {}, columns=160, lines=50)[0])


def test_more_than_six_nodes_are_folded_and_hundreds_are_counted() -> None:
    rows = [node(name=f"n{number}") for number in range(1, 101)]
    assert len(node_lines(rows[:7], {}, columns=200, lines=100)) == 7
    lines = node_lines(rows, {}, columns=80, lines=30)
    assert len(lines) == 10
    assert "and 91 more nodes, all alive" in text_of(lines[-1])
    dead = [node(name="n1"), node(name="n2", state=NodeState.DEAD)]
    (line,) = node_lines(dead, {}, columns=40, lines=5)
    assert text_of(line).startswith("2 nodes, 1 not alive")


@pytest.mark.parametrize("columns", [40, 80, 132])
def test_every_line_of_cards_is_as_wide_as_the_screen(columns: int) -> None:
    rows = [node(name="n\x1b1", metrics=None), node(state=NodeState.DEAD, problem="\x07gone")]
    for lines in (24, 60):
        for line in node_lines(rows, {}, columns=columns, lines=lines):
            assert width(text_of(line)) == columns
            assert "\x1b" not in text_of(line)
            assert "\x07" not in text_of(line)


def test_a_card_tells_of_pressure_network_disk_and_gpu() -> None:
    before = HostCounters(taken_at_s=10.0, cores=((0, 0), (0, 0)), received_bytes=0)
    now = HostCounters(
        taken_at_s=12.0,
        cores=((100, 200), (0, 200)),
        pressure=(25.0, 0.0, 3.0),
        received_bytes=2 << 20,
        written_bytes=4096,
    )
    meters = meters_between(before, now)
    assert meters is not None
    assert meters.cores == (50.0, 0.0)
    with_gpu = node(metrics=msgspec.structs.replace(METRICS, gpus=(GPU,)))
    text = "\n".join(map(text_of, node_lines([with_gpu], {"n1": meters}, columns=80, lines=50)))
    for told in ("25.0%", "▅▁ 2", "psi 25/0/3%", "↓1.0M", "w2.0K", "GPU 30% 1.0G/40G"):
        assert told in text


def test_counters_that_went_back_or_say_nothing_make_no_rates() -> None:
    first = HostCounters(taken_at_s=10.0, cores=((5, 10),), sent_bytes=100)
    assert meters_between(first, first) is None
    assert meters_between(first, HostCounters(taken_at_s=11.0, cores=())) is None
    again = meters_between(first, HostCounters(taken_at_s=11.0, cores=((0, 0),)))
    assert again is not None
    assert (again.cores, again.sent_bytes_s) == ((0.0,), 0.0)


def test_many_cores_are_grouped_by_their_busiest() -> None:
    assert cores_text([0.0, 100.0, 50.0]) == "▁█▅"
    assert cores_text([0.0] * 63 + [100.0]) == "▁" * 15 + "█"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.00"), (3.12, "0:03.12"), (3599.99, "59:59.99"), (3723, "1h02:03"), (1e6, "11d13h")],
)
def test_cpu_time_is_as_in_htop(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_commands_are_shown_with_or_without_path_and_name() -> None:
    row = entry(command=("/usr/bin/python3", "x.py"), name="worker").row
    assert command_shown(row, full_path=True, merged=False) == "/usr/bin/python3 x.py"
    assert command_shown(row, full_path=False, merged=False) == "python3 x.py"
    assert command_shown(row, full_path=False, merged=True) == "worker: python3 x.py"


def test_a_line_is_cut_or_filled_and_made_plain() -> None:
    assert text_of(fitted([Part("ab"), Part("cd", Tone.BAD)], 3)) == "abc"
    assert text_of(fitted([Part("\x1b[31m")], 10)) == "\\x1b[31m  "
    assert text_of(fitted([Part("日本")], 3)) == "日 "
    assert wrapped("日本語", 4) == ["日本", "語"]


def test_news_is_wrapped_and_bounded() -> None:
    lines = news_lines(Part("word " * 200), [("moving", 3.0)], 40)
    assert len(lines) == 4
    assert text_of(lines[0]) == " moving 3 s "
    assert news_lines(None, [], 40) == []


def test_key_bar_fills_the_screen() -> None:
    assert text_of(key_bar([("F1", "Help")], 20)) == "F1Help  " + " " * 12


def test_a_typed_line_is_edited_as_in_a_shell() -> None:
    line = LineEdit.of("node=n2 cpu")
    for key, text in (
        ("ctrl+w", "node=n2 "),
        ("backspace", "node=n2"),
        ("home", "node=n2"),
        ("delete", "ode=n2"),
        ("end", "ode=n2"),
        ("ctrl+u", ""),
    ):
        pressed = line.press(key)
        assert pressed is not None
        line = pressed
        assert line.text == text
    assert line.press("f5") is None
    assert line.insert("a\x1bb\n").text == "ab"
