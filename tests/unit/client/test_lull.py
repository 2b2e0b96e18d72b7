from __future__ import annotations

import asyncio

import pytest

from ssi.client.lull import ECHO_S, LONGEST_S, Lull


class Clock:
    """Time that passes where somebody sleeps, with keys at these moments."""

    def __init__(self, *keys_s: float) -> None:
        self.now_s = 0.0
        self.lull = Lull(lambda: self.now_s, self._sleep)
        self._keys_s = list(keys_s)
        self._type()

    async def _sleep(self, pause_s: float) -> None:
        until_s = self.now_s + pause_s
        self._type(until_s)
        self.now_s = until_s

    def _type(self, until_s: float = 0.0) -> None:
        while self._keys_s and self._keys_s[0] <= until_s:
            self.now_s = self._keys_s.pop(0)
            self.lull.typed()


@pytest.mark.parametrize(
    ("keys_s", "begins_s"),
    [
        ((), 0.0),
        ((0.0,), ECHO_S),
        ((0.0, ECHO_S / 2), 1.5 * ECHO_S),
        ((0.0, 2 * ECHO_S), ECHO_S),
        (tuple(at * ECHO_S / 2 for at in range(100)), LONGEST_S),
    ],
)
def test_a_lull_begins_when_echoes_have_come_and_in_any_case_soon(
    keys_s: tuple[float, ...], begins_s: float
) -> None:
    clock = Clock(*keys_s)
    asyncio.run(clock.lull.begin())
    assert clock.now_s == pytest.approx(begins_s)
