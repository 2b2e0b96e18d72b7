"""How much may be under way."""

from __future__ import annotations

from ssi.protocol.filerequests import MAX_DATA_BYTES
from ssi.transport.pace import SLOW_S, Pace


def after(pace: Pace, *took_s: float, size_bytes: int = MAX_DATA_BYTES) -> list[int]:
    """How many large requests may be under way after each answer."""
    allowed = []
    for each in took_s:
        pace.answered(size_bytes, each)
        allowed.append(pace.allowed_bytes // MAX_DATA_BYTES)
    return allowed


def test_pace_grows_while_answers_are_quick_and_is_bounded() -> None:
    pace = Pace(4 * MAX_DATA_BYTES)
    assert pace.allowed_bytes == MAX_DATA_BYTES
    assert after(pace, *[0.001] * 5) == [2, 3, 4, 4, 4]


def test_quick_answer_to_a_smaller_request_tells_less() -> None:
    pace = Pace(4 * MAX_DATA_BYTES)
    assert after(pace, *[0.001] * 5, size_bytes=MAX_DATA_BYTES // 4) == [1, 1, 1, 2, 2]


def test_slow_link_has_one_request_under_way() -> None:
    pace = Pace(4 * MAX_DATA_BYTES)
    after(pace, *[0.001] * 5)
    assert after(pace, *[SLOW_S * 2] * 4) == [2, 1, 1, 1]


def test_distant_server_is_not_taken_for_a_slow_link() -> None:
    pace = Pace(4 * MAX_DATA_BYTES)
    assert after(pace, 0.6, 0.6, 0.65, 0.6) == [2, 3, 4, 4]
    assert after(pace, 0.6 + 2 * SLOW_S) == [2]


def test_server_that_has_become_distant_is_not_taken_for_a_slow_link_for_ever() -> None:
    pace = Pace(4 * MAX_DATA_BYTES)
    assert after(pace, 0.001, *[0.6] * 20)[-1] == 1
    assert after(pace, *[0.6] * 400)[-1] == 4
