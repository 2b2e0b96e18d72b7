"""Every action by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from tui.actions import arranging, jobs, looking, moving, nodes, setup, signalling, tuning
from tui.desk import Desk
from tui.model.views import EVENTS, JOBS, VIEWS

Action: TypeAlias = Callable[[Desk], Awaitable[None]]


def _at_once(deed: Callable[[Desk], None]) -> Action:
    """What needs no waiting."""

    async def act(desk: Desk) -> None:
        deed(desk)

    return act


def _sorting(name: str) -> Action:
    return _at_once(lambda desk: arranging.sort_by(desk, name))


def _tree(desk: Desk) -> None:
    choice = desk.browser.choice
    changed = replace(choice, tree=not choice.tree)
    arranging.switch(desk, "tree", changed, is_on=changed.tree)


def _invert(desk: Desk) -> None:
    choice = desk.browser.choice
    desk.browser.choose(replace(choice, turned=not choice.turned), desk.now_s())


def _group(desk: Desk) -> None:
    choice = desk.browser.choice
    changed = replace(choice, grouped=not choice.grouped)
    arranging.switch(desk, "node by node", changed, is_on=changed.grouped)


def _threads(desk: Desk) -> None:
    choice = desk.browser.choice
    changed = replace(choice, threads=not choice.threads)
    desk.feed.with_threads = changed.threads
    arranging.switch(desk, "threads of processes", changed, is_on=changed.threads)


def _kernel_threads(desk: Desk) -> None:
    choice = desk.browser.choice
    changed = replace(choice, kernel_threads=not choice.kernel_threads)
    arranging.switch(desk, "threads of the kernels", changed, is_on=changed.kernel_threads)


def _full_paths(desk: Desk) -> None:
    choice = desk.browser.choice
    changed = replace(choice, full_paths=not choice.full_paths)
    arranging.switch(desk, "full paths", changed, is_on=changed.full_paths)


def _merged(desk: Desk) -> None:
    choice = desk.browser.choice
    changed = replace(choice, merged=not choice.merged)
    arranging.switch(desk, "names before commands", changed, is_on=changed.merged)


def _wrap(desk: Desk) -> None:
    choice = desk.browser.choice
    changed = replace(choice, wrapped=not choice.wrapped)
    arranging.switch(desk, "whole command", changed, is_on=changed.wrapped)


def _follow(desk: Desk) -> None:
    desk.browser.follow()


def _pause(desk: Desk) -> None:
    desk.browser.paused = not desk.browser.paused


def _hide_cards(desk: Desk) -> None:
    desk.settings = replace(desk.settings, cards=not desk.settings.cards)


def _untag(desk: Desk) -> None:
    desk.browser.tags.clear()


def _go_on(desk: Desk, steps: int) -> None:
    desk.show(VIEWS[(VIEWS.index(desk.view) + steps) % len(VIEWS)])


ACTIONS: Final[Mapping[str, Action]] = {
    "help": looking.show_help,
    "search": arranging.search,
    "filter": arranging.filter_rows,
    "tree": _at_once(_tree),
    "sort": arranging.sort,
    "sort-cpu": _sorting("cpu"),
    "sort-memory": _sorting("mem"),
    "sort-time": _sorting("time"),
    "sort-gpid": _sorting("gpid"),
    "sort-gpu": _at_once(lambda desk: arranging.sort_shown(desk, "gpu")),
    "invert": _at_once(_invert),
    "users": arranging.users,
    "nodes": arranging.nodes,
    "group": _at_once(_group),
    "threads": _at_once(_threads),
    "kernel-threads": _at_once(_kernel_threads),
    "full-paths": _at_once(_full_paths),
    "merged": _at_once(_merged),
    "wrap": _at_once(_wrap),
    "follow": _at_once(_follow),
    "pause": _at_once(_pause),
    "fold": arranging.fold,
    "fold-all": arranging.fold_all,
    "hide-cards": _at_once(_hide_cards),
    "tag": _at_once(lambda desk: desk.browser.tag(desk.now_s())),
    "tag-children": _at_once(lambda desk: desk.browser.tag_children()),
    "untag": _at_once(_untag),
    "setup": setup.setup,
    "kill": signalling.kill,
    "freeze": signalling.freeze,
    "nicer": tuning.nicer,
    "less-nice": tuning.less_nice,
    "affinity": tuning.affinity,
    "io-priority": tuning.io_priority,
    "environment": tuning.environment,
    "open-files": tuning.open_files,
    "system-calls": tuning.system_calls,
    "migrate": moving.migrate,
    "migrate-auto": moving.migrate_auto,
    "explain": moving.explain,
    "attach": jobs.attach,
    "output": jobs.output,
    "details": looking.details,
    "copy": looking.copy,
    "run": jobs.run,
    "cordon": nodes.cordon,
    "uncordon": nodes.uncordon,
    "drain": nodes.drain,
    "shell": nodes.shell,
    "next-view": _at_once(lambda desk: _go_on(desk, 1)),
    "previous-view": _at_once(lambda desk: _go_on(desk, -1)),
    "jobs": _at_once(lambda desk: desk.show(JOBS)),
    "events": _at_once(lambda desk: desk.show(EVENTS)),
    "palette": looking.palette,
    "redraw": _at_once(lambda desk: desk.redraw(anew=True)),
    "quit": _at_once(lambda desk: desk.leave()),
}
"""By the names that :mod:`tui.bindings` uses; a test holds the two together."""
