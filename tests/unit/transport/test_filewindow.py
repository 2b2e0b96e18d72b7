"""Which of a link's requests are under way."""

from __future__ import annotations

import time

from ssi.protocol.fileframes import Asked
from ssi.protocol.filerequests import MAX_DATA_BYTES, Ping
from ssi.transport.filepending import Pending
from ssi.transport.filewindow import FIRST_REQUESTS, FileWindow
from ssi.transport.pace import SLOW_S

MIB = MAX_DATA_BYTES


def added(window: FileWindow, *costs_bytes: int) -> list[Pending]:
    then = lambda _error, _body, _data: None  # noqa: E731
    asked = Asked(1, b"", "", "", Ping())
    made = [Pending(asked, b"", then, 5.0, 5.0, cost_bytes) for cost_bytes in costs_bytes]
    for each in made:
        window.add(each)
    return made


def sent(window: FileWindow) -> list[Pending]:
    """All that may be sent now."""
    found = []
    while (pending := window.next()) is not None:
        found.append(pending)
    return found


def answer(window: FileWindow, pending: Pending, took_s: float) -> None:
    pending.sent_s = time.monotonic() - took_s
    window.answered(pending)
    window.end(pending)


def test_server_grants_requests_and_bytes() -> None:
    window = FileWindow(is_paced=False)
    window.grant(3, 2 * MIB)
    first = added(window, MIB, MIB, MIB)
    assert sent(window) == first[:2]
    others = added(window, 0, 0)
    assert sent(window) == []
    window.end(first[0])
    assert sent(window) == [first[2], others[0]]
    window.end(first[1])
    assert sent(window) == others[1:]


def test_one_may_be_under_way_whatever_its_size() -> None:
    window = FileWindow(is_paced=False)
    window.grant(3, 2 * MIB)
    large = added(window, 9 * MIB)
    assert sent(window) == large


def test_slow_link_has_one_large_request_under_way_and_any_small_ones() -> None:
    window = FileWindow(is_paced=True)
    for _ in range(6):
        added(window, MIB)
        answer(window, sent(window)[0], 0.01)
    many = added(window, *[MIB] * 9)
    assert sent(window) == many[:7]
    for each in many[:7]:
        answer(window, each, 2 * SLOW_S)
    assert sent(window) == many[7:8]
    small = added(window, 0, 4096, 0)
    assert sent(window) == small, "they do not wait for what is large"
    for each in small * FIRST_REQUESTS:
        window.answered(each)  # tells nothing of the link
    assert sent(window) == []
    answer(window, many[7], 2 * SLOW_S)
    assert sent(window) == many[8:]


def test_large_request_is_not_kept_back_by_small_ones() -> None:
    window = FileWindow(is_paced=True)
    small, large = added(window, 4096), added(window, MIB)
    assert sent(window) == small + large


def test_what_waits_for_others_is_not_late() -> None:
    window = FileWindow(is_paced=True)
    first, second = added(window, MIB, MIB)
    assert sent(window) == [first]
    assert second.due_s == 5.0
    answer(window, first, 9.0)
    assert second.due_s > time.monotonic() + 4.0


def test_what_a_broken_connection_had_is_sent_again_in_its_order() -> None:
    window = FileWindow(is_paced=False)
    first = added(window, 0, MIB, 0)
    assert sent(window) == first
    late = added(window, 0)
    window.add_again([first[0], first[2]])
    assert sent(window) == [first[0], first[2], *late]
    window.end(first[2])
    window.begin_again([first[0], first[1], *late])
    assert sent(window) == [first[0], first[1], *late]


def test_what_was_given_up_is_not_sent() -> None:
    window = FileWindow(is_paced=True)
    first = added(window, MIB, MIB, 0)
    for each in first[:2]:
        window.end(each)
    assert sent(window) == first[2:]
