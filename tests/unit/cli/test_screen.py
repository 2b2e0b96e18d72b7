"""Looks that are drawn over each other."""

from __future__ import annotations

import asyncio

import pytest

from ssi.cli import screen
from ssi.cli.screen import Look, drawn_over, watch


def test_look_is_drawn_over_the_one_before_with_notices_first() -> None:
    drawn = drawn_over(Look(text="A\nB\n", notices=["n3 is gone\x07"]), rows=24)
    assert drawn == "\x1b[Hn3 is gone\\x07\x1b[K\nA\x1b[K\nB\x1b[K\n\x1b[J"


def test_look_never_scrolls_the_terminal() -> None:
    drawn = drawn_over(Look(text="".join(f"{n}\n" for n in range(100))), rows=10)
    assert drawn.count("\n") == 9


def test_notice_is_repeated_off_a_terminal_only_when_it_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = iter(
        [
            Look(text="1\n", notices=["n3 is gone"]),
            Look(text="2\n", notices=["n3 is gone"]),
            Look(text="3\n"),
            Look(text="4\n", notices=["n3 is gone"]),
        ]
    )

    async def take() -> Look:
        look = next(looks, None)
        if look is None:
            raise KeyboardInterrupt
        return look

    async def no_wait(_seconds: float) -> None:
        return

    monkeypatch.setattr(screen, "sleep", no_wait)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(watch(take, 2.0))
    shown = capsys.readouterr()
    assert shown.out == "1\n2\n3\n4\n"
    assert shown.err == "n3 is gone\nn3 is gone\n"
