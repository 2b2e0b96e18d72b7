"""What a program has switched on at a terminal, so that it can be switched off when we leave. Pure.

A full-screen program tidies up at its end. Somebody who leaves it running keeps his own terminal,
which must not stay on the alternate screen, without a cursor, or reporting the mouse.

Source: ctlseqs (xterm), "DEC Private Mode Set (DECSET)".
"""

from __future__ import annotations

import re
from typing import Final

_CHANGE: Final = re.compile(rb"\x1b(?:\[\?([0-9;]{1,64})([hl])|([=>])|(c))")
_UNFINISHED: Final = re.compile(rb"\x1b(?:\[(?:\?[0-9;]{0,64})?)?\Z")

_USUALLY_ON: Final = frozenset({7, 25})
"""Line wrap and the cursor."""

_RESTORED: Final = (
    1,
    7,
    9,
    1000,
    1001,
    1002,
    1003,
    1004,
    1005,
    1006,
    1015,
    2004,
    47,
    1047,
    1049,
    25,
)
"""Modes that we put back, in that order: the main screen comes before the cursor is shown."""

_COLOURS_OFF: Final = b"\x1b[m"


class ScreenModes:
    """Follows a job's output."""

    def __init__(self) -> None:
        self._modes: dict[int, bool] = {}
        self._keypad = False
        self._rest = b""

    def feed(self, output: bytes) -> None:
        """Notes what these bytes switch; a sequence may be cut between two calls."""
        data = self._rest + output
        unfinished = _UNFINISHED.search(data[-72:])
        self._rest = unfinished.group() if unfinished else b""
        for numbers, switch, keypad, reset in _CHANGE.findall(data):
            if reset:
                self._modes.clear()
                self._keypad = False
            elif keypad:
                self._keypad = keypad == b"="
            else:
                for number in numbers.split(b";"):
                    if number:
                        self._modes[int(number)] = switch == b"h"

    def undo(self) -> bytes:
        """What puts a terminal back that was shown all this; empty where nothing is to be done."""
        parts = []
        for mode in _RESTORED:
            usual = mode in _USUALLY_ON
            if self._modes.get(mode, usual) != usual:
                parts.append(b"\x1b[?%d%s" % (mode, b"h" if usual else b"l"))
        if self._keypad:
            parts.append(b"\x1b>")
        return b"".join([*parts, _COLOURS_OFF]) if parts else b""
