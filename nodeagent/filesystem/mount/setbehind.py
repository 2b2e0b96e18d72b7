"""Attributes of which the kernel is told that they are set, before the server has heard of it.

Whoever unpacks an archive sets times, owner and mode of each file, one after the other, and then
closes it. Each was a question to the server; together they are one, when the file is closed, when
something depends on them, or a moment later. What fails then is told by fsync(2) or close(2).

Only what can hardly fail is taken: of a file that was made here by an open file that is open yet,
by whoever opened it, and only where the same was set on the same file system before, and asked for.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Protocol

from msgspec import structs

from nodeagent.filesystem.mount.afterwards import when_all
from nodeagent.filesystem.mount.beliefs import Beliefs
from nodeagent.filesystem.mount.handles import Failure, File
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.mount.nodes import Key, Node
from nodeagent.filesystem.mount.reopening import Answered
from nodeagent.mechanism.loop import Loop
from ssi.protocol.filereplies import FileReply
from ssi.protocol.filerequests import FileRequest, SetAttributes

WITHIN_S: Final = 0.02
"""The server hears of it so late at most, where the file stays open."""

MAX_KINDS: Final = 1000

_NOW: Final = -1
_WAITS: Final = os.O_SYNC | os.O_DSYNC
_log: Final = logging.getLogger(__name__)


class Server(Protocol):
    """What is asked of a mount's side to the server."""

    @property
    def may_write_behind(self) -> bool:
        """Whether the server is there, as far as is known."""

    def ask_as(
        self, file: File, body: FileRequest, data: bytes | memoryview, then: Answered
    ) -> None:
        """Asks the server as whoever opened a file, whether the kernel waits or not."""


class Writes(Protocol):
    """Those that are under way."""

    def when_answered(self, node: Node | None, then: Callable[[], None]) -> bool:
        """Calls ``then`` once those of an inode have been answered; False where there are none."""


@dataclass(eq=False, slots=True)
class _Setting:
    """What is to be set of one file.

    Attributes:
        after: Called once it has been answered.
    """

    file: File
    is_sent: bool = False
    after: list[Callable[[], None]] = field(default_factory=list)


class SetBehind:
    """See the module.

    Args:
        server: The mount's side to it.
        loop: For what nobody asks for.
        memory: Its open files, and what a successor knows of them.
        beliefs: What it believes of files.
        writes: They come before what is set: a later write would change the times.
    """

    def __init__(
        self, server: Server, loop: Loop, memory: Memory, beliefs: Beliefs, writes: Writes
    ) -> None:
        self._server = server
        self._loop = loop
        self._memory = memory
        self._beliefs = beliefs
        self._writes = writes
        self._settings: dict[Node, _Setting] = {}
        self._proven: set[Hashable] = set()
        self._is_due = False
        self.is_busy = False
        """Whether there are any that have no answer."""

    def take(self, node: Node, asked: SetAttributes, user: str, group: str) -> bool:
        """Takes what is to be set of a file; False where it has to wait for its answer."""
        setting = self._settings.get(node)
        file = self._memory.handles.files.get(node.maker) if setting is None else setting.file
        if file is None or not self._suits(node, file, asked, user, group):
            return False
        if setting is None:
            setting = self._settings[node] = _Setting(file)
            node.writes += 1
            self.is_busy = True
        elif setting.is_sent or not _can_join(file.setting, asked):
            return False
        file.setting = _joined(file.setting, asked)
        self._memory.opened(file)
        self._beliefs.changed(node)
        if not self._is_due:
            self._is_due = True
            self._loop.call_after(WITHIN_S, self._send_late)
        return True

    def _suits(self, node: Node, file: File, asked: SetAttributes, user: str, group: str) -> bool:
        return (
            asked.size is None
            and bool(node.told)
            and (file.user, file.group) == (user, group)
            and _kind(node, user, asked) in self._proven
            and not (file.flags & _WAITS or file.is_lost or file.error or file.failure)
            and self._server.may_write_behind
        )

    def was_set(self, node: Node, asked: SetAttributes, user: str) -> None:
        """The server has set such a thing for that user: it may well do so again."""
        if len(self._proven) >= MAX_KINDS:
            self._proven.clear()
        self._proven.add(_kind(node, user, asked))

    def holds(self, node: Node) -> bool:
        """Whether there is something of an inode that has no answer."""
        return self.is_busy and node in self._settings

    def keys(self) -> set[Key]:
        """The files of all there are."""
        return {node.key for node in self._settings} if self.is_busy else set()

    def when_set(self, node: Node | None, then: Callable[[], None]) -> bool:
        """Sends what there is of an inode, or of all, and calls ``then`` once it was answered.

        Returns:
            False where there is nothing; then it is not called.
        """
        if node is None:
            awaited = list(self._settings.values())
        else:
            found = self._settings.get(node)
            awaited = [] if found is None else [found]
        is_awaited = when_all(awaited, then)
        for each in awaited:
            self._send(each)
        return is_awaited

    def recover(self) -> None:
        """Sends again what an earlier worker had said is set."""
        for file in list(self._memory.handles.files.values()):
            if file.setting is not None and file.node not in self._settings:
                setting = self._settings[file.node] = _Setting(file)
                file.node.writes += 1
                self.is_busy = True
                self._send(setting)

    def close(self) -> None:
        """The mount is no more, nor who could be told."""
        self._settings.clear()

    def _send_late(self) -> None:
        self._is_due = False
        for each in list(self._settings.values()):
            self._send(each)

    def _send(self, setting: _Setting) -> None:
        if setting.is_sent:
            return
        setting.is_sent = True
        file = setting.file

        def answered(error: int, _reply: FileReply | None) -> None:
            if self._settings.get(file.node) is setting:  # else the mount has ended
                self._answered(setting, error)

        def send() -> None:
            assert file.setting is not None
            asked = structs.replace(file.setting, handle=file.handle)
            self._server.ask_as(file, asked, b"", answered)

        if not self._writes.when_answered(file.node, send):
            send()

    def _answered(self, setting: _Setting, error: int) -> None:
        file = setting.file
        if error:
            self._failed(file, error)
        del self._settings[file.node]
        self.is_busy = bool(self._settings)
        file.setting = None
        file.node.writes -= 1
        self._memory.opened(file)
        self._beliefs.changed(file.node)
        for then in setting.after:
            then()

    def _failed(self, file: File, error: int) -> None:
        _log.warning("event=attributes-lost error=%d", error)
        self._proven.clear()
        if file.failure is None:
            file.failure = Failure(error, is_told_by_write=True)


def _kind(node: Node, user: str, asked: SetAttributes) -> Hashable:
    """What has to have been set before: who and what may differ between file systems and users."""
    now = asked.atime_ns == _NOW, asked.mtime_ns == _NOW
    times = asked.atime_ns is None, asked.mtime_ns is None, *now
    return node.key[0], user, asked.mode, asked.owner, asked.group, times


def _can_join(before: SetAttributes | None, asked: SetAttributes) -> bool:
    """Whether both at once are as one after the other: the server sets owners before modes.

    A change of owner takes set-user-id from the mode that there is, not from one that is set later.
    """
    sets_owner = asked.owner is not None or asked.group is not None
    return not (before is not None and before.mode is not None and sets_owner)


def _joined(before: SetAttributes | None, asked: SetAttributes) -> SetAttributes:
    if before is None:
        return structs.replace(asked, path=b"")
    given = {name: value for name, value in structs.asdict(asked).items() if value is not None}
    return structs.replace(before, **{**given, "path": b"", "handle": 0})
