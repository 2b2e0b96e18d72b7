"""A line without a placement is bash's alone: none of its bytes is another afterwards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shell.language.placement import parse_placement
from shell.language.plan import Names, plain_plan
from shell.session.told import Frames, frame

words = st.text(st.sampled_from("abz09_./%+:,=-"), min_size=1, max_size=8)


@given(st.lists(words, min_size=1, max_size=6), st.sampled_from([" ", "  ", "\t"]))
def test_a_line_of_plain_words_is_handed_on_byte_for_byte(parts: list[str], space: str) -> None:
    line = space.join(parts)
    steps = plain_plan(line, Names())
    if steps is not None:
        (step,) = steps
        assert step.text == line
        assert all(part.placement is None for part in step.parts)


@given(st.text())
def test_only_words_that_begin_with_an_at_sign_are_placements(word: str) -> None:
    found = parse_placement(word)
    assert found is None or word.startswith("@")


@given(st.lists(st.tuples(st.sampled_from("OTAX"), st.binary(max_size=40))), st.integers(1, 7))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    sent: list[tuple[str, bytes]], size: int
) -> None:
    data = b"".join(frame(kind, body) for kind, body in sent)
    frames = Frames()
    heard: list[tuple[str, bytes]] = []
    for start in range(0, len(data), size):
        heard += frames.feed(data[start : start + size])
    assert heard == sent
