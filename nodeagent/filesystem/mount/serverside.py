"""A mount's side to the server: what is asked there, for whom, and again where it was forgotten."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import structs

from nodeagent.filesystem.fuse.requests import Header
from nodeagent.filesystem.mount.accounts import LocalAccounts
from nodeagent.filesystem.mount.handles import File
from nodeagent.filesystem.mount.nodes import Nodes
from nodeagent.filesystem.mount.options import MountOptions
from nodeagent.filesystem.mount.released import Released
from nodeagent.filesystem.mount.reopening import Answered, ask_as_opener, open_again
from nodeagent.filesystem.mount.waiting import Waiting
from nodeagent.mechanism.loop import Loop
from ssi.protocol import filerequests
from ssi.protocol.filereplies import FileReply
from ssi.protocol.filerequests import FileRequest, waits_for_others
from ssi.transport.filelink import LOST, FileLink

_MUST_BE_HEARD: Final = (filerequests.Cancel, filerequests.Lock)
_IS_RESENT: Final = 1 << 63
"""Set in the number of a request that the kernel sends again (``FUSE_UNIQUE_RESEND``)."""

Then: TypeAlias = Callable[[FileReply, memoryview], None]


class ServerSide:
    """See the module.

    Args:
        loop: For what is given up a moment later.
        link: To the server.
        options: How the mount behaves.
        accounts: Users and groups as the server calls them.
        nodes: The mount's inodes.
        fail: Answers the kernel with an errno.
        gave_up: Told the kernel's number of a request that was given up.

    Attributes:
        link: The link.
        released: Files that were closed, of which the server hears with other requests.
        waiting: What the kernel waits for.
    """

    def __init__(
        self,
        loop: Loop,
        link: FileLink,
        options: MountOptions,
        accounts: LocalAccounts,
        nodes: Nodes,
        fail: Callable[[Header, int], None],
        gave_up: Callable[[int], None],
    ) -> None:
        self.link = link
        self.released = Released(loop, self.tell)
        self.waiting = Waiting(loop, link, self.released, self.tell, gave_up)
        self._options = options
        self._accounts = accounts
        self._nodes = nodes
        self._fail = fail

    @property
    def may_write_behind(self) -> bool:
        """Whether the server is there, as far as is known, and it was not asked to wait for it."""
        return self._options.write_behind and self.link.stands and not self.link.is_mute

    def asker(self, header: Header) -> tuple[str, str]:
        """Who asks, by name.

        Raises:
            OSError: ``EACCES``: the user has no name here, so the server cannot know them.
        """
        asker = self._accounts.asker(header.uid, header.gid)
        if asker is None:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return asker

    def ask(
        self,
        header: Header,
        body: FileRequest,
        then: Then,
        *,
        data: bytes | memoryview = b"",
        as_opener: File | None = None,
        once: bool = False,
        undo: FileRequest | None = None,
        failed: Callable[[int], None] | None = None,
    ) -> None:
        """Asks the server, and goes on with ``then``; where it fails, the kernel is told.

        Args:
            header: Whose request it is.
            body: What to ask.
            then: Takes the answer.
            data: To write.
            as_opener: The open file that ``body`` names; it asks as whoever opened it, and is
                opened again where the server has forgotten it.
            once: It must not be done twice, also where this worker is killed, and the next one
                asks for it as the kernel has had no answer: by the kernel's number for it the
                server knows it again.
            undo: A lock that has no answer in time is given back by it, once that is possible.
            failed: Instead of telling the kernel.
        """
        if self.link.is_mute:
            (failed or (lambda error: self._fail(header, error)))(errno.EHOSTDOWN)
            return
        if as_opener is not None and as_opener.is_lost and hasattr(body, "handle") and body.handle:
            # The number may be another file's by now.
            self._ask_again(header, as_opener, body, then, data, failed, once=once)
            return
        user, group = self.asker(header) if as_opener is None else (as_opener.user, as_opener.group)

        released, life = self.released.take(), self.released.lives

        def answered(error: int, reply: FileReply | None, payload: memoryview) -> None:
            if error == errno.ETIMEDOUT:
                self.released.again(released, life)
                if waits_for_others(body):
                    self._withdraw(number, undo)
            if error == LOST and isinstance(body, filerequests.CopyRange):
                self._fail(header, errno.EXDEV)
            elif error == LOST and as_opener is not None:
                self._ask_again(header, as_opener, body, then, data, failed, once=once)
            elif error or reply is None:
                (failed or (lambda number: self._fail(header, number)))(
                    errno.EIO if error == LOST else error or errno.EIO
                )
            else:
                self._finish(header, then, reply, payload)

        number = self.link.ask(
            user, group, body, answered, data=data, within_s=self._options.deadline_s,
            released=released, number=header.unique & ~_IS_RESENT if once else 0,
        )  # fmt: skip
        is_long = waits_for_others(body)
        self.waiting.add(header, number, is_long=is_long, released=released, life=life)

    def _withdraw(self, number: int, undo: FileRequest | None) -> None:
        """Nobody knows of a lock any more that may be granted yet, or was."""
        then = None if undo is None else lambda: self.tell(undo)
        self.tell(filerequests.Cancel(number), then)

    def _ask_again(
        self,
        header: Header,
        file: File,
        body: FileRequest,
        then: Then,
        data: bytes | memoryview,
        failed: Callable[[int], None] | None,
        *,
        once: bool,
    ) -> None:
        """Asks once more by a handle that the server knows."""

        def ask(opening: FileRequest, opened: Answered) -> None:
            self.ask(
                header, opening, lambda reply, _payload: opened(0, reply),
                as_opener=file, failed=lambda error: opened(error, None),
            )  # fmt: skip

        def may_ask(error: int) -> None:
            if error:
                (failed or (lambda number: self._fail(header, number)))(error)
            else:
                again = structs.replace(body, handle=file.handle)
                self.ask(header, again, then, data=data, as_opener=file, once=once, failed=failed)

        open_again(file, self._nodes, ask, self.tell, may_ask)

    def _finish(self, header: Header, then: Then, reply: FileReply, payload: memoryview) -> None:
        try:
            then(reply, payload)
        except OSError as exc:
            self._fail(header, exc.errno or errno.EIO)

    def ask_as(
        self, file: File, body: FileRequest, data: bytes | memoryview, then: Answered
    ) -> None:
        """Asks as whoever opened a file, whether the kernel waits or not."""
        if self.link.is_mute:
            then(errno.EHOSTDOWN, None)
        else:
            within_s = self._options.deadline_s
            ask_as_opener(self.link, self._nodes, file, body, then, data=data, within_s=within_s)

    def tell(self, body: FileRequest, then: Callable[[], object] | None = None) -> None:
        """Asks for something whose outcome nobody waits for, and goes on with ``then``.

        Where no answer came, what was closed or given back is told again: it would keep its lock
        and its place.
        """
        life = self.released.lives

        def answered(error: int, _reply: FileReply | None, _payload: memoryview) -> None:
            if error != errno.ETIMEDOUT:
                if then is not None:
                    then()
                return
            if isinstance(body, filerequests.Release):
                self.released.again((body.handle, *body.others), life)
            elif isinstance(body, _MUST_BE_HEARD) and life == self.released.lives:
                self.tell(body, then)

        self.link.ask("", "", body, answered, within_s=self._options.deadline_s)
