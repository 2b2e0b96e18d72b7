"""Who is there and who is gone, in the order of their names, kept as beliefs change.

Nearly every datagram asks for one of both. To sort a thousand members anew after each change was
half of what a large mesh paid while nodes came and went.
"""

from __future__ import annotations

from bisect import bisect_left


class Sides:
    """Names on two sides; each is on one of them at most.

    Attributes:
        there: Members that are alive or suspect, by name. Not to be changed from outside.
        gone: Members that are dead or left, likewise.
    """

    def __init__(self) -> None:
        self.there: list[str] = []
        self.gone: list[str] = []

    def place(self, name: str, *, is_there: bool) -> None:
        """Puts a member on one side, whichever it was on."""
        here, other = (self.there, self.gone) if is_there else (self.gone, self.there)
        _remove(other, name)
        index = bisect_left(here, name)
        if here[index : index + 1] != [name]:
            here.insert(index, name)

    def drop(self, name: str) -> None:
        """It is on neither."""
        _remove(self.there, name)
        _remove(self.gone, name)


def _remove(names: list[str], name: str) -> None:
    index = bisect_left(names, name)
    if names[index : index + 1] == [name]:
        del names[index]
