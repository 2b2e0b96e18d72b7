"""The program on the screen: joins what is decided elsewhere to Textual."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar, Final

from rich.style import Style
from textual import events
from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import Binding as TextualBinding
from textual.binding import BindingType
from textual.containers import Horizontal

from ssi.client.moves import Mover
from ssi.client.system import System
from tui.actions.arranging import go_to_gpid, sort_by
from tui.actions.every import ACTIONS
from tui.bindings import MOVES, keymap
from tui.lines import Lines
from tui.model.bottom import badges, browsing_labels, key_bar, news_lines
from tui.model.browser import Browser, window
from tui.model.cards import node_lines
from tui.model.census import Census
from tui.model.choice import Choice
from tui.model.outcome import Outcome
from tui.model.parts import Part, Tone, fitted
from tui.model.sheet import Layout, column_at, header_parts, layout_of, row_parts, whole_command
from tui.modes.mode import Mode
from tui.modes.pager import Pager
from tui.modes.panel import Panel
from tui.modes.prompt import Prompt
from tui.settings import Settings
from tui.theme import BACKGROUNDS, NO_COLOUR, THEMES
from tui.watch import FIRST_WAIT_S, Watch

NEWS_S: Final = 12.0
"""How long a line of news stays."""


_WHEEL: Final = 3
_TAKEN: Final = ("tab", "shift+tab", "ctrl+c", "ctrl+q", "ctrl+p")
"""Keys that Textual would keep for itself."""


class Top(App[int]):
    """``ssi top``.

    Args:
        system: That is shown.
        settings: How.
    """

    CSS = """
    Screen { layout: vertical; overflow: hidden; }
    #cards, #badges, #bottom { height: 1; }
    #side { width: 24; display: none; }
    #middle { height: 1fr; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        TextualBinding(key, f"typed('{key}')", priority=True, show=False) for key in _TAKEN
    ]

    def __init__(self, system: System, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.system = system
        self.mover = Mover(system)
        self.browser = Browser(Census(), Choice(sort=settings.sort, tree=settings.tree))
        self.browser.columns = settings.columns
        self.feed = Watch(system, self.browser.census, settings.every_s)
        self.deeds: list[str] = []
        self._keys = keymap()
        self._waiting_modes: list[tuple[Mode, asyncio.Future[object]]] = []
        self._acting: set[asyncio.Task[None]] = set()
        self._under_way: dict[int, tuple[str, float]] = {}
        self._numbers = itertools.count()
        self._news: tuple[float, Part] = (float("-inf"), Part(""))
        self._top = 0
        self._table_layout: Layout | None = None
        self._styles = _styles(NO_COLOUR if self.no_color else settings.theme)

    def compose(self) -> ComposeResult:
        """The screen from top to bottom."""
        yield Lines(self._card_lines, self._styles_now, name="cards")
        yield Lines(self._badge_lines, self._styles_now, name="badges")
        with Horizontal(id="middle"):
            yield Lines(self._side_lines, self._styles_now, name="side")
            body = Lines(self._body_lines, self._styles_now, name="body")
            body.can_focus = True
            yield body
        yield Lines(self._bottom_lines, self._styles_now, name="bottom")

    async def on_mount(self) -> None:
        """The first picture, and then one each second."""
        self.screen.styles.background = BACKGROUNDS[
            NO_COLOUR if self.no_color else self.settings.theme
        ]
        self.query_one("#body").focus()
        await self.feed.look_once(FIRST_WAIT_S)
        self._tick()
        self.feed.start()
        self.set_interval(self.settings.every_s, self._tick)

    async def on_unmount(self) -> None:
        """Ends what is under way."""
        for task in self._acting:
            task.cancel()
        await asyncio.gather(*self._acting, return_exceptions=True)
        await self.feed.stop()

    def now_s(self) -> float:
        """A clock that never goes back."""
        return time.monotonic()

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """A line for the person, which goes by itself."""
        self._news = (self.now_s() + NEWS_S, Part(text, tone))
        self.redraw()

    def tell(self, outcome: Outcome) -> None:
        """What became of an action; it is also kept."""
        self.deeds.append(outcome.text())
        self.say(outcome.text(), outcome.tone)

    def begin(self, what: str) -> int:
        """Shows that something is under way."""
        number = next(self._numbers)
        self._under_way[number] = (what, self.now_s())
        self.redraw()
        return number

    def end(self, number: int) -> None:
        """It is not any more."""
        self._under_way.pop(number, None)
        self.redraw()

    async def ask(self, mode: Mode) -> object:
        """Gives the keys to a mode until it has its answer."""
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        held = (mode, answer)
        self._waiting_modes.append(held)
        self.redraw()
        try:
            return await answer
        finally:
            self._waiting_modes.remove(held)
            self.redraw()

    async def lend_terminal(self, words: Sequence[str]) -> int:
        """Gives the whole terminal to a command. Nothing is drawn, and nobody asked, meanwhile."""
        await self.feed.stop()
        try:
            with self.suspend():
                return subprocess.run(words, check=False).returncode  # noqa: ASYNC221
        except SuspendNotSupported:
            self.say("this terminal cannot be lent", Tone.BAD)
            return 1
        finally:
            self.feed.start()

    async def act(self, name: str) -> None:
        """Does what a binding names, unless it would change something and nothing may."""
        binding = next(each for each in self._keys.values() if each.action == name)
        if binding.changes and self.settings.readonly:
            self.say(f"{name}: not with --readonly", Tone.WARN)
            return
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

    def leave(self) -> None:
        """Ends the program."""
        self.exit(0)

    def action_typed(self, key: str) -> None:
        """A key that Textual would have kept."""
        self._press(key)

    def on_key(self, event: events.Key) -> None:
        """Every key of the person."""
        event.stop()
        event.prevent_default()
        character = event.character
        is_seen = character is not None and character.isprintable() and character != " "
        self._press(character if is_seen and character is not None else event.key)

    def on_paste(self, event: events.Paste) -> None:
        """A text that was pasted."""
        if self._waiting_modes:
            self._waiting_modes[-1][0].paste(event.text)
            self.redraw()

    def on_mouse_scroll_down(self) -> None:
        """The wheel."""
        self._scroll(_WHEEL)

    def on_mouse_scroll_up(self) -> None:
        """The wheel."""
        self._scroll(-_WHEEL)

    def on_click(self, event: events.Click) -> None:
        """A header sorts, a row is chosen, a label of the key bar does what its key does."""
        if event.widget is None:
            return
        if event.widget.id == "body" and not self._waiting_modes and self._table_layout is not None:
            if event.y == 0:
                sort_by(self, column_at(self._table_layout, event.x).name)
            elif self._top + event.y - 1 < len(self.browser.lines):
                self.browser.move_to(self._top + event.y - 1, self.now_s())
        elif event.widget.id == "bottom":
            self._press_label(event.x)
        self.redraw()

    def _tick(self) -> None:
        self.browser.refresh(self.now_s())
        self.redraw()

    def _scroll(self, steps: int) -> None:
        if self._waiting_modes:
            for _ in range(abs(steps)):
                self._waiting_modes[-1][0].press("down" if steps > 0 else "up")
        else:
            self.browser.move(steps, self.now_s())
        self.redraw()

    def _press_label(self, x: int) -> None:
        right = 0
        for key, label in self._labels():
            right += len(key) + max(len(label), 6)
            if x < right:
                names = {"Enter": "enter", "Esc": "escape", "ctrl-s": "ctrl+s", "S-F3": "shift+f3"}
                self._press(names.get(key, key.lower() if key.startswith("F") else key))
                return

    def _press(self, key: str) -> None:
        if self._waiting_modes:
            mode, answer = self._waiting_modes[-1]
            ended = mode.press(key)
            if ended is not None and not answer.done():
                answer.set_result(ended.value)
        elif key in MOVES:
            self._move(MOVES[key])
        elif key.isdigit():
            self._start(go_to_gpid(self, key))
        elif key in self._keys:
            self._start(self.act(self._keys[key].action))
        self.redraw()

    def _start(self, deed: Coroutine[Any, Any, None]) -> None:
        """Carries an action out beside everything else."""
        task = asyncio.get_running_loop().create_task(deed)
        self._acting.add(task)
        task.add_done_callback(self._acted)

    def _acted(self, task: asyncio.Task[None]) -> None:
        self._acting.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._handle_exception(error if isinstance(error, Exception) else Exception(error))
        elif self.is_running:
            self.redraw()

    def _move(self, way: str) -> None:
        page = max(self.query_one("#body").size.height - 2, 1)
        browser, now_s = self.browser, self.now_s()
        if way in {"home", "end"}:
            browser.move_to(0 if way == "home" else len(browser.lines) - 1, now_s)
        else:
            steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page}
            browser.move(steps[way], now_s)

    def _fit(self) -> None:
        """Gives the parts of the screen the room that they need now."""
        cards = self.query_one("#cards")
        shown = self.settings.cards and bool(self.feed.nodes)
        lines = len(self._card_lines(self.size.width, self.size.height)) if shown else 0
        cards.display = shown
        cards.styles.height = max(lines, 1)
        self.query_one("#bottom").styles.height = len(self._bottom_lines(self.size.width, 1))
        side = self.query_one("#side")
        panel = self._panel()
        side.display = panel is not None
        if panel is not None:
            side.styles.width = min(panel.columns, max(self.size.width * 3 // 4, 20))

    def _panel(self) -> Panel | None:
        return next(
            (mode for mode, _ in reversed(self._waiting_modes) if isinstance(mode, Panel)), None
        )

    def _pager(self) -> Pager | None:
        return next(
            (mode for mode, _ in reversed(self._waiting_modes) if isinstance(mode, Pager)), None
        )

    def _card_lines(self, columns: int, _height: int) -> list[list[Part]]:
        return node_lines(
            self.feed.nodes, self.feed.meters, columns=columns, lines=self.size.height
        )

    def _badge_lines(self, columns: int, _height: int) -> list[list[Part]]:
        now_s = self.now_s()
        census = self.browser.census
        silent = [name for name in census.sheets if census.is_stale(name, now_s)]
        parts = badges(
            self.browser,
            now_s,
            readonly=self.settings.readonly,
            problem=self.feed.problem,
            silent=silent,
        )
        return [fitted(parts, columns)]

    def _side_lines(self, columns: int, height: int) -> list[list[Part]]:
        panel = self._panel()
        return panel.side_lines(columns, height) if panel is not None else []

    def _body_lines(self, columns: int, height: int) -> list[list[Part]]:
        pager = self._pager()
        if pager is not None:
            return pager.body_lines(columns, height)
        browser, now_s = self.browser, self.now_s()
        ages = {
            name: browser.census.age_s(name, now_s)
            for name in browser.census.sheets
            if browser.census.is_stale(name, now_s)
        }
        layout = layout_of(browser, columns, has_stale=bool(ages))
        self._table_layout = layout
        room = max(height - 1, 1)
        self._top = window(self._top, browser.cursor, room, len(browser.lines))
        drawn = [fitted(header_parts(layout, browser), columns, Tone.HEADER)]
        for index, line in enumerate(browser.lines[self._top : self._top + room], self._top):
            parts = row_parts(layout, line, browser, ages.get(line.entry.node))
            chosen = index == browser.cursor
            tagged = line.entry.identity in browser.tags
            tone = Tone.CURSOR if chosen else Tone.TAGGED if tagged else None
            if tone is not None:
                parts = [Part(part.text, tone) for part in parts]
            drawn.append(fitted(parts, columns, tone or Tone.PLAIN))
            if chosen and browser.choice.wrapped:
                more = whole_command(layout, line.entry, browser, columns)[1:]
                drawn += [fitted([Part(text, Tone.CURSOR)], columns) for text in more]
        return drawn

    def _bottom_lines(self, columns: int, _height: int) -> list[list[Part]]:
        if self._waiting_modes and isinstance(self._waiting_modes[-1][0], Prompt):
            lines = [self._waiting_modes[-1][0].bottom_line()]
        else:
            lines = [key_bar(self._labels(), columns)]
        now_s = self.now_s()
        until_s, news = self._news
        under_way = [(what, now_s - began_s) for what, began_s in self._under_way.values()]
        told = news_lines(news if now_s < until_s else None, under_way, columns)
        return [fitted(line, columns) for line in (*told, *lines)]

    def _labels(self) -> Sequence[tuple[str, str]]:
        return self._waiting_modes[-1][0].labels if self._waiting_modes else browsing_labels()

    def _styles_now(self) -> Mapping[Tone, Style]:
        return self._styles


def _styles(theme: str) -> Mapping[Tone, Style]:
    return {tone: Style.parse(text) for tone, text in THEMES[theme].items()}
