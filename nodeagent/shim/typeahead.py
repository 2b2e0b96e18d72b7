"""Keys that a job has not read, and how a terminal is set so that it gives and takes them. Pure.

What waits in a terminal has been through its line discipline: ``^C`` has become a signal, return a
newline, and the keys were echoed. So it is taken out, and put in again, with every such treatment
switched off, or it would be treated twice. Source: termios(3), Linux ``drivers/tty/n_tty.c``.
"""

from __future__ import annotations

import struct
import termios
from dataclasses import dataclass, replace
from typing import Final

_LAYOUT: Final = struct.Struct("=IIIIB19s")
"""``struct termios`` of the kernel, for TCGETS and TCSETS on the architectures that CRIU knows."""

SETTINGS_BYTES: Final = _LAYOUT.size

_INPUT_TREATMENTS: Final = (
    termios.IGNBRK
    | termios.BRKINT
    | termios.PARMRK
    | termios.INPCK
    | termios.ISTRIP
    | termios.INLCR
    | termios.IGNCR
    | termios.ICRNL
    | termios.IXON
    | termios.IXOFF
    | 0o001000  # IUCLC, which Python's termios does not name
)
_LOCAL_TREATMENTS: Final = (
    termios.ISIG | termios.ECHO | termios.ECHOE | termios.ECHOK | termios.ECHONL
)
_EDITING: Final = (
    termios.VERASE,
    termios.VKILL,
    termios.VWERASE,
    termios.VREPRINT,
    termios.VLNEXT,
)
_ENDING: Final = (termios.VEOL, termios.VEOL2)
_NEWLINE: Final = ord("\n")
_DISABLED: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a terminal treats what goes through it: ``struct termios``."""

    input: int
    output: int
    control: int
    local: int
    line: int
    characters: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Settings:
        """As TCGETS gives it."""
        flags_in, flags_out, control, local, line, characters = _LAYOUT.unpack(data)
        return cls(
            input=flags_in,
            output=flags_out,
            control=control,
            local=local,
            line=line,
            characters=characters,
        )

    def to_bytes(self) -> bytes:
        """As TCSETS takes it."""
        return _LAYOUT.pack(
            self.input, self.output, self.control, self.local, self.line, self.characters
        )

    @property
    def by_lines(self) -> bool:
        """Whether a reader gets whole lines, which can be edited before."""
        return bool(self.local & termios.ICANON)

    @property
    def stop_key(self) -> int:
        """The key that holds output, ``^S``; 0 for none."""
        return self.characters[termios.VSTOP] if self.input & termios.IXON else _DISABLED

    def with_keys(self, keys: dict[int, int]) -> Settings:
        """The same with other special characters."""
        characters = bytearray(self.characters)
        for index, key in keys.items():
            characters[index] = key
        return replace(self, characters=bytes(characters))

    def for_taking(self) -> Settings:
        """Gives every byte at once, as it is: ends of file as 0, what comes later untreated."""
        untreated = replace(
            self,
            input=self.input & ~_INPUT_TREATMENTS,
            local=self.local & ~(_LOCAL_TREATMENTS | termios.ICANON | termios.IEXTEN),
        )
        return untreated.with_keys({termios.VMIN: 1, termios.VTIME: 0})

    def for_giving(self, end_key: int) -> Settings:
        """Takes every byte as it is; ``end_key`` alone ends a file.

        Whether it reads by lines stays as it is: a change of that would make one line of all.
        """
        untreated = replace(
            self,
            input=self.input & ~_INPUT_TREATMENTS,
            local=self.local & ~_LOCAL_TREATMENTS,
        )
        return untreated.with_keys({**dict.fromkeys(_EDITING, _DISABLED), termios.VEOF: end_key})


def keys_to_give(settings: Settings, taken: bytes) -> tuple[Settings, bytes]:
    """How the terminal must be set to hold ``taken`` again, and the keys that make it do so.

    Where it reads by lines, a 0 is the mark of a ``^D``. (One that was typed as such, which no
    program of that kind expects, cannot be told from it.)
    """
    if not settings.by_lines:
        return settings.for_giving(settings.characters[termios.VEOF]), taken
    used = {*taken, _DISABLED, _NEWLINE, *(settings.characters[index] for index in _ENDING)}
    end_key = next((key for key in range(1, 256) if key not in used), _DISABLED)
    return settings.for_giving(end_key), taken.replace(b"\0", bytes((end_key,)))
