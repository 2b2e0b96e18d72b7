"""What each part of the screen says now: the nodes, the badges, the table, the keys."""

from __future__ import annotations

from ssi.client.system import System
from tui.desk import Desk
from tui.lister import fetch_rows
from tui.model.bottom import LOW_LINES, MOST_LINES, badges, browsing_labels, key_bar
from tui.model.cards import node_lines
from tui.model.listing import Listing
from tui.model.parts import Part, fitted
from tui.model.picture import Picture
from tui.model.views import listings, tabs
from tui.modes.mode import Labels
from tui.modes.prompt import Prompt
from tui.modes.stack import ModeStack
from tui.news import News


class Scene:
    """Draws what is on a desk, for a screen of so many columns and lines.

    Args:
        desk: Whose table, view and settings are shown.
        stack: Who has the keys.
        news: What happened last.

    Attributes:
        picture: Of the table of processes.
        screen_lines: How high the whole screen is.
    """

    def __init__(self, desk: Desk, stack: ModeStack, news: News) -> None:
        self.picture = Picture(desk.browser)
        self.screen_lines = 1
        self._desk = desk
        self._stack = stack
        self._news = news
        self._listings = listings()

    @property
    def listing(self) -> Listing | None:
        """The table of this view, where it is not one of processes."""
        return self._listings.get(self._desk.view)

    @property
    def labels(self) -> Labels:
        """What stands on the key bar."""
        return self._stack.top.labels if self._stack.top is not None else browsing_labels()

    @property
    def has_cards(self) -> bool:
        """Whether nodes are shown above the table."""
        room = self.screen_lines >= LOW_LINES
        return self._desk.settings.cards and bool(self._desk.feed.nodes) and room

    async def fetch(self, listing: Listing, system: System) -> bool:
        """Asks for the rows of a view; whether it is still the one that is shown.

        Raises:
            SsiError: The agent at the door does not answer.
        """
        desk = self._desk
        rows = await fetch_rows(desk.view, system, desk.feed, self._news.deeds)
        if listing is not self.listing or desk.browser.paused:
            return False
        listing.fill(rows)
        return True

    def card_lines(self, columns: int, _height: int) -> list[list[Part]]:
        """The nodes."""
        feed = self._desk.feed
        return node_lines(feed.nodes, feed.meters, columns=columns, lines=self.screen_lines)

    def badge_lines(self, columns: int, _height: int) -> list[list[Part]]:
        """The views, and what one has to know of this one."""
        now_s, census = self._desk.now_s(), self._desk.browser.census
        told = badges(
            self._desk.browser,
            now_s,
            readonly=self._desk.settings.readonly,
            problem=self._desk.feed.problem,
            silent=[name for name in census.sheets if census.is_stale(name, now_s)],
            listing=self.listing,
        )
        return [fitted([*tabs(self._desk.view, columns), *told], columns)]

    def side_lines(self, columns: int, height: int) -> list[list[Part]]:
        """The list beside the table."""
        panel = self._stack.panel
        return panel.side_lines(columns, height) if panel is not None else []

    def body_lines(self, columns: int, height: int) -> list[list[Part]]:
        """The table, or a text in its place."""
        if (pager := self._stack.pager) is not None:
            return pager.body_lines(columns, height)
        if (listing := self.listing) is not None:
            return listing.body_lines(columns, height)
        return self.picture.body_lines(columns, height, self._desk.now_s())

    def bottom_lines(self, columns: int, _height: int) -> list[list[Part]]:
        """News, and the keys or what is typed."""
        top = self._stack.top
        last = top.bottom_line() if isinstance(top, Prompt) else key_bar(self.labels, columns)
        most = MOST_LINES if self.screen_lines >= LOW_LINES else 1
        return [fitted(line, columns) for line in (*self._news.lines(columns, most), last)]
