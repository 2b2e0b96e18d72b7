"""What actions see of the program: the table, the system, and the person in front of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ssi.client.moves import Mover
from ssi.client.system import System
from tui.model.browser import Browser
from tui.model.entry import Target
from tui.model.outcome import Outcome
from tui.model.parts import Tone
from tui.modes.mode import Mode
from tui.settings import Settings
from tui.watch import Watch


class Desk(Protocol):
    """Where actions work. Everything that changes the screen calls for :meth:`redraw`."""

    browser: Browser
    feed: Watch
    system: System
    mover: Mover
    settings: Settings
    view: str

    def targets(self) -> tuple[Target, ...]:
        """What an action is for: what is tagged, else what is under the cursor of this view."""

    def chosen(self) -> Target | None:
        """What is under the cursor of this view, whatever is tagged."""

    def node(self) -> str:
        """The node of what is under the cursor; empty where there is nothing."""

    def show(self, view: str) -> None:
        """Goes to a view."""

    def keep(self, outcome: Outcome) -> None:
        """Keeps what became of an action, without telling it."""

    def now_s(self) -> float:
        """A clock that never goes back."""

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """A line for the person, which goes by itself."""

    def tell(self, outcome: Outcome) -> None:
        """What became of an action; it is also kept."""

    def begin(self, what: str) -> int:
        """Shows that something is under way; the number to end it by."""

    def end(self, number: int) -> None:
        """It is not any more."""

    async def ask(self, mode: Mode) -> object:
        """Gives the keys to a mode until it has its answer; None where the person took it back."""

    async def lend_terminal(self, words: Sequence[str]) -> int:
        """Gives the whole terminal to a command until it ends; its exit status."""

    async def act(self, name: str) -> None:
        """Does what a binding names."""

    def copy(self, text: str) -> None:
        """Puts a text into the terminal's clipboard."""

    def redraw(self, *, anew: bool = False) -> None:
        """Draws what has changed, or everything anew."""

    def adopt(self, settings: Settings) -> None:
        """Takes other settings on, at once."""

    def leave(self) -> None:
        """Ends the program."""
