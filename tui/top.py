"""The program on the screen: joins what is decided elsewhere to Textual."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from rich.style import Style
from textual import events
from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import Binding as TextualBinding
from textual.binding import BindingType
from textual.containers import Horizontal

from ssi.client.moves import Mover
from ssi.client.system import System
from ssi.model.errors import SsiError
from tui.actions.arranging import go_to_gpid, sort_by
from tui.actions.every import ACTIONS
from tui.bindings import MOVES, TAKEN, keymap, keys_meant
from tui.lines import LAYOUT, Lines, styles_of
from tui.model.bottom import key_at
from tui.model.browser import Browser
from tui.model.census import Census
from tui.model.choice import Choice
from tui.model.columns import OF_GPUS, OF_TRAFFIC
from tui.model.entry import Target, target_of
from tui.model.listing import Listing
from tui.model.outcome import Outcome, failed
from tui.model.parts import Tone
from tui.model.views import GPUS, PROCESSES, TRAFFIC
from tui.modes.mode import Mode
from tui.modes.stack import ModeStack
from tui.news import News
from tui.scene import Scene
from tui.settings import Settings
from tui.theme import BACKGROUNDS, NO_COLOUR
from tui.watch import FIRST_WAIT_S, Watch

GARBAGE_AFTER: Final = (1000, 5, 20)
"""How often cycles are looked for, by generation: in small pieces, since keys wait for each.

Measured on 10,000 rows: at most 3, 7 and 30 ms. With large pieces it is 50 ms at times; without any
search the cycles that widgets make take 25 MB in a minute.
"""

_WHEEL: Final = 3


class Top(App[int]):
    """``ssi top``.

    Args:
        system: That is shown.
        settings: How.
    """

    CSS = LAYOUT
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        TextualBinding(key, f"typed('{key}')", priority=True, show=False) for key in TAKEN
    ]

    def __init__(self, system: System, settings: Settings) -> None:
        super().__init__()
        self.title = "ssi top"
        self.settings = settings
        self.system = system
        self.mover = Mover(system)
        self.browser = Browser(Census(), Choice(sort=settings.sort, tree=settings.tree))
        self.browser.columns = settings.columns
        self.feed = Watch(system, self.browser.census, settings.every_s)
        self.view = PROCESSES
        self._news = News()
        self._fetching: asyncio.Task[None] | None = None
        self._stack = ModeStack()
        self._scene = Scene(self, self._stack, self._news)
        self._acting: set[asyncio.Task[None]] = set()
        self._styles = styles_of(NO_COLOUR if self.no_color else settings.theme)

    @property
    def deeds(self) -> list[tuple[float, str]]:
        """What was done from here and when."""
        return self._news.deeds

    def compose(self) -> ComposeResult:
        """The screen from top to bottom."""
        yield Lines(self._scene.card_lines, self._styles_now, name="cards")
        yield Lines(self._scene.badge_lines, self._styles_now, name="badges")
        with Horizontal(id="middle"):
            yield Lines(self._scene.side_lines, self._styles_now, name="side")
            body = Lines(self._scene.body_lines, self._styles_now, name="body")
            body.can_focus = True
            yield body
        yield Lines(self._scene.bottom_lines, self._styles_now, name="bottom")

    async def on_mount(self) -> None:
        """The first picture, and then one after each look."""
        self._wear(self.settings.theme)
        self.query_one("#body").focus()
        await self.feed.look_once(FIRST_WAIT_S)
        self._tick()
        gc.freeze()  # what is there by now stays, and need not be looked through again
        gc.set_threshold(*GARBAGE_AFTER)
        self.feed.start()
        self.set_interval(self.settings.every_s, self._tick)

    async def on_unmount(self) -> None:
        """Ends what is under way."""
        tasks = [*self._acting, *([self._fetching] if self._fetching is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.feed.stop()

    def now_s(self) -> float:
        """A clock that never goes back."""
        return time.monotonic()

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """A line for the person, which goes by itself."""
        self._news.say(text, tone)
        self.redraw()

    def tell(self, outcome: Outcome) -> None:
        """What became of an action; it is also kept."""
        self.keep(outcome)
        self.say(outcome.text(), outcome.tone)

    def keep(self, outcome: Outcome) -> None:
        """Keeps what became of an action, without telling it."""
        self._news.keep(outcome)

    def begin(self, what: str) -> int:
        """Shows that something is under way; the number to end it by."""
        number = self._news.begin(what)
        self.redraw()
        return number

    def end(self, number: int) -> None:
        """It is not any more."""
        self._news.end(number)
        self.redraw()

    def targets(self) -> tuple[Target, ...]:
        """What an action is for: what is tagged, else what is under the cursor of this view."""
        if (listing := self._scene.listing) is None:
            return self.browser.targets()
        row = listing.current
        return (row.target,) if row is not None and row.target is not None else ()

    def chosen(self) -> Target | None:
        """What is under the cursor of this view, whatever is tagged."""
        if self._scene.listing is not None:
            return next(iter(self.targets()), None)
        return target_of(meant) if (meant := self.browser.meant) is not None else None

    def node(self) -> str:
        """The node of what is under the cursor; empty where there is nothing."""
        if (listing := self._scene.listing) is not None:
            return listing.current.node if listing.current is not None else ""
        return self.browser.current.node if self.browser.current is not None else ""

    def show(self, view: str) -> None:
        """Goes to a view."""
        self.view = view
        self.feed.with_traffic = view == TRAFFIC
        if self._scene.listing is None:
            sort = "io" if view == TRAFFIC else self.settings.sort
            self.browser.columns = OF_TRAFFIC if view == TRAFFIC else self.settings.columns
            choice = replace(self.browser.choice, sort=sort, turned=False)
            self.browser.choose(choice, self.now_s())
        self._tick()

    async def ask(self, mode: Mode) -> object:
        """Gives the keys to a mode until it has its answer."""
        answer = self._stack.give(mode)
        self.redraw()
        try:
            return await answer
        finally:
            self.redraw()

    async def lend_terminal(self, words: Sequence[str]) -> int:
        """Gives the whole terminal to a command. Nothing is drawn, and nobody asked, meanwhile."""
        await self.feed.stop()
        try:
            with self.suspend():
                began_s = self.now_s()
                status = subprocess.run(words, check=False).returncode  # noqa: ASYNC221
                self.browser.census.excuse(self.now_s() - began_s)
                return status
        except SuspendNotSupported:
            self.say("this terminal cannot be lent", Tone.BAD)
            return 1
        finally:
            self.feed.start()

    async def act(self, name: str) -> None:
        """Does what a binding names, unless it would change something and nothing may."""
        keys = (*keymap().values(), *keymap(self.view).values())
        binding = next((each for each in keys if each.action == name), None)
        if binding is None:
            self.say(f"{name}: not in this view", Tone.WARN)
        elif binding.changes and self.settings.readonly:
            self.say(f"{name}: not with --readonly", Tone.WARN)
        else:
            await ACTIONS[name](self)

    def copy(self, text: str) -> None:
        """Puts a text into the terminal's clipboard."""
        self.copy_to_clipboard(text)

    def redraw(self, *, anew: bool = False) -> None:
        """Draws what has changed, or everything anew."""
        if not self.is_running:
            return
        self._fit()
        for lines in self.query(Lines):
            lines.redraw(anew=anew)
        if anew:
            self.refresh(layout=True)

    def adopt(self, settings: Settings) -> None:
        """Takes other settings on, at once."""
        self.settings = settings
        self.feed.every_s = settings.every_s
        self._wear(settings.theme)
        if self.view == PROCESSES:
            self.browser.columns = settings.columns
        self.redraw(anew=True)

    def leave(self) -> None:
        """Ends the program."""
        self.exit(0)

    def action_typed(self, key: str) -> None:
        """A key that Textual would have kept."""
        self._press(key)

    async def on_key(self, event: events.Key) -> None:
        """Every key of the person. What it begins has the keys before the next one is looked at."""
        event.stop()
        event.prevent_default()
        for key in keys_meant(event.key, event.character):
            self._press(key)
            await asyncio.sleep(0)

    def on_paste(self, event: events.Paste) -> None:
        """A text that was pasted."""
        if self._stack.top is not None:
            self._stack.top.paste(event.text)
            self.redraw()

    def on_mouse_scroll_down(self) -> None:
        self._scroll("down")

    def on_mouse_scroll_up(self) -> None:
        self._scroll("up")

    def on_click(self, event: events.Click) -> None:
        """A header sorts, a row is chosen, a label of the key bar does what its key does."""
        if event.widget is None:
            return
        if event.widget.id == "body" and self._stack.top is None and self._scene.listing is None:
            picture = self._scene.picture
            column, line = picture.column_at(event.x), picture.line_at(event.y)
            if event.y == 0 and column is not None:
                sort_by(self, column.name)
            elif line is not None:
                self.browser.move_to(line, self.now_s())
        elif event.widget.id == "bottom" and (key := key_at(self._scene.labels, event.x)):
            self._press(key)
        self.redraw()

    def _wear(self, theme: str) -> None:
        """Takes a look on."""
        worn = NO_COLOUR if self.no_color else theme
        self._styles = styles_of(worn)
        self.screen.styles.background = BACKGROUNDS[worn]

    def _tick(self) -> None:
        shown = {*self.browser.columns, self.browser.choice.sort}
        self.feed.with_gpus = self.view == GPUS or not shown.isdisjoint(OF_GPUS)
        self.browser.refresh(self.now_s())
        listing = self._scene.listing
        if listing is not None and (self._fetching is None or self._fetching.done()):
            self._fetching = asyncio.get_running_loop().create_task(self._fetch(listing))
        self.redraw()

    async def _fetch(self, listing: Listing) -> None:
        try:
            if await self._scene.fetch(listing, self.system):
                self.redraw()
        except SsiError:
            return  # the feed says what is wrong with the door

    def _scroll(self, way: str) -> None:
        for _ in range(_WHEEL):
            if not self._stack.press(way):
                self._move(way)
        self.redraw()

    def _press(self, key: str) -> None:
        keys = keymap(self.view)
        if self._stack.press(key):
            pass
        elif key in MOVES:
            self._move(MOVES[key])
        elif key.isdigit() and self._scene.listing is None:
            self._start(go_to_gpid(self, key))
        elif key in keys:
            self._start(self.act(keys[key].action))
        self.redraw()

    def _start(self, deed: Coroutine[Any, Any, None]) -> None:
        """Carries an action out beside everything else."""
        task = asyncio.get_running_loop().create_task(deed)
        self._acting.add(task)
        task.add_done_callback(self._acted)

    def _acted(self, task: asyncio.Task[None]) -> None:
        self._acting.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, SsiError):
            self.tell(failed("that", error))
        elif error is not None:
            self._handle_exception(error if isinstance(error, Exception) else Exception(error))
        elif self.is_running:
            self.redraw()

    def _move(self, way: str) -> None:
        page = max(self.query_one("#body").size.height - 2, 1)
        browser, now_s = self.browser, self.now_s()
        if (listing := self._scene.listing) is not None:
            listing.move(way, page)
        elif way in {"home", "end"}:
            browser.move_to(0 if way == "home" else len(browser.lines) - 1, now_s)
        else:
            steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page}
            browser.move(steps[way], now_s)

    def _fit(self) -> None:
        """Gives the parts of the screen the room that they need now."""
        cards, side = self.query_one("#cards"), self.query_one("#side")
        self._scene.screen_lines = self.size.height
        cards.display = self._scene.has_cards
        cards.styles.height = max(len(self._scene.card_lines(self.size.width, 1)), 1)
        self.query_one("#bottom").styles.height = len(self._scene.bottom_lines(self.size.width, 1))
        panel = self._stack.panel
        side.display = panel is not None
        if panel is not None:
            side.styles.width = min(panel.columns, max(self.size.width * 3 // 4, 20))

    def _styles_now(self) -> Mapping[Tone, Style]:
        return self._styles
