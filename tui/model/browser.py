"""The process table under somebody's fingers: its order, its cursor, its tags. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from tui.model.arrangement import NOTHING, Arrangement, arrange
from tui.model.census import Census
from tui.model.choice import Choice
from tui.model.columns import MAIN
from tui.model.entry import Entry, Identity, Target, command_shown, target_of

HOLD_S: Final = 5.0
"""How long rows keep their places after the cursor moved: nobody hits what has just slid there."""


class Browser:
    """What is shown of a census, and where the person is in it.

    Attributes:
        lines: As they stand.
        cursor: Index of the chosen line.
        following: The process that the cursor stays on, wherever it goes; None for none.
        paused: Nothing changes on the screen.
        columns: Names, in their order.
    """

    def __init__(self, census: Census, choice: Choice | None = None) -> None:
        self.census = census
        self.choice = choice or Choice()
        self.columns: tuple[str, ...] = MAIN
        self.lines: Arrangement = NOTHING
        self.cursor = 0
        self.tags: set[Identity] = set()
        self.following: Identity | None = None
        self.paused = False
        self._held_until_s = float("-inf")

    @property
    def current(self) -> Entry | None:
        """The process under the cursor."""
        return self.lines.entries[self.cursor] if self.lines else None

    def process_of(self, entry: Entry) -> Entry | None:
        """The process that is meant: of a thread, the one that it belongs to, while that lives."""
        return self.census.find(entry.row.thread_of) if entry.row.thread_of else entry

    @property
    def meant(self) -> Entry | None:
        """The process under the cursor, or that of the thread there."""
        return self.process_of(self.current) if self.current is not None else None

    def is_held(self, now_s: float) -> bool:
        """Whether rows keep their places for the cursor's sake."""
        return now_s < self._held_until_s and not self.choice.tree

    def refresh(self, now_s: float) -> None:
        """Takes the census in as it is now, unless paused."""
        if not self.paused:
            self.rearrange(now_s)

    def rearrange(self, now_s: float) -> None:
        """Puts all lines where they belong; the cursor stays on what it must not leave."""
        chosen = self.current
        held = self.is_held(now_s)
        self.lines = arrange(self.census.by_gpid(), self.choice, self.lines, held=held)
        kept = self.following
        if kept is None and (held or self.choice.tree) and chosen is not None:
            kept = chosen.identity
        index = self._index_of(kept) if kept is not None else None
        self.cursor = self._within(self.cursor if index is None else index)

    def choose(self, change: Choice, now_s: float) -> None:
        """Shows something else; the cursor stays with its process where that is still shown."""
        chosen = self.current
        self.choice = change
        self._held_until_s = float("-inf")
        self.rearrange(now_s)
        if chosen is not None:
            index = self._index_of(chosen.identity)
            self.cursor = self.cursor if index is None else index

    def hold(self, now_s: float) -> None:
        """Keeps the order for a while, for a key that may be pressed again."""
        self._held_until_s = now_s + HOLD_S

    def move(self, steps: int, now_s: float) -> None:
        """Moves the cursor; the order is held from now on for a while."""
        self.cursor = self._within(self.cursor + steps)
        self.following = None
        self.hold(now_s)

    def move_to(self, index: int, now_s: float) -> None:
        """Puts the cursor on a line; -1 is the last one."""
        self.move((index if index >= 0 else len(self.lines)) - self.cursor, now_s)

    def follow(self) -> None:
        """Stays on the process under the cursor from now on; or no longer."""
        current = self.current
        self.following = None if self.following or current is None else current.identity

    def find(self, text: str, now_s: float, *, step: int = 1, start: int | None = None) -> bool:
        """Puts the cursor on the next line with a text in it; False where there is none."""
        wanted = text.casefold()
        return bool(text) and self._seek(
            lambda entry: wanted in self.command(entry).casefold(), now_s, step, start
        )

    def find_gpid(self, digits: str, now_s: float) -> bool:
        """Puts the cursor on the process whose gpid or pid begins so, whole ones first."""
        return self._seek(
            lambda entry: digits in {str(entry.row.gpid), str(entry.row.tid or entry.row.pid)},
            now_s,
            1,
            0,
        ) or self._seek(lambda entry: str(entry.row.gpid).startswith(digits), now_s, 1, 0)

    def tag(self, now_s: float) -> None:
        """Tags the process under the cursor, or no longer, and goes on to the next."""
        if (meant := self.meant) is not None:
            self.tags ^= {meant.identity}
            self.move(1, now_s)

    def tag_children(self) -> None:
        """Tags the process under the cursor and all below it."""
        if (meant := self.meant) is None:
            return
        wanted, grew = {meant.row.gpid}, True
        entries = [entry for entry in self.census.entries() if not entry.row.thread_of]
        while grew:
            below = {entry.row.gpid for entry in entries if entry.row.parent_gpid in wanted}
            grew = not below <= wanted
            wanted |= below
        self.tags |= {entry.identity for entry in entries if entry.row.gpid in wanted}

    def targets(self) -> tuple[Target, ...]:
        """What an action is for: all that is tagged and lives, else the line under the cursor."""
        tagged = [entry for entry in self.census.entries() if entry.identity in self.tags]
        if tagged:
            return tuple(target_of(entry) for entry in sorted(tagged, key=lambda e: e.row.gpid))
        return (target_of(self.meant),) if self.meant is not None else ()

    def toggle_closed(self, *, everything: bool = False) -> None:
        """Hides or shows the children of the process under the cursor, or all children."""
        current = self.current
        closed = self.choice.closed
        if everything:
            parents = {entry.row.parent_gpid for entry in self.census.entries()}
            all_parents = frozenset(
                e.identity for e in self.census.entries() if e.row.gpid in parents
            )
            closed = frozenset() if closed else all_parents
        elif current is not None:
            closed = closed ^ {current.identity}
        self.choice = replace(self.choice, closed=closed)

    def command(self, entry: Entry) -> str:
        """Its command line as it is to be shown."""
        return command_shown(entry.row, full_path=self.choice.full_paths, merged=self.choice.merged)

    def _seek(
        self, fits: Callable[[Entry], bool], now_s: float, step: int, start: int | None
    ) -> bool:
        count = len(self.lines)
        first = self.cursor if start is None else start
        for distance in range(count):
            index = (first + step * distance) % count
            if fits(self.lines.entries[index]):
                self.move_to(index, now_s)
                return True
        return False

    def _index_of(self, identity: Identity) -> int | None:
        """Where it stands now that all lines are those of the census."""
        entry = self.census.find(identity.gpid)
        known = entry is not None and entry.identity == identity
        return self.lines.place_of(entry) if known and entry is not None else None

    def _within(self, index: int) -> int:
        return max(0, min(index, len(self.lines) - 1))


def window(top: int, cursor: int, height: int, count: int) -> int:
    """The first line to show, so that the cursor is seen and the screen is full."""
    top = min(max(top, cursor - height + 1), cursor)
    return max(0, min(top, count - height))


def users_of(entries: Sequence[Entry]) -> list[str]:
    """All users that have processes, in order."""
    return sorted({entry.row.user for entry in entries})
