"""One mount: the kernel's requests on one side, the link to the server on the other."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from nodeagent.filesystem.fuse import replies
from nodeagent.filesystem.fuse.abi import Opcode
from nodeagent.filesystem.fuse.decoding import BadRequest, decode
from nodeagent.filesystem.fuse.requests import Body, Header, Interrupt
from nodeagent.filesystem.mount.accounts import LocalAccounts
from nodeagent.filesystem.mount.beliefs import Beliefs
from nodeagent.filesystem.mount.identities import Identities
from nodeagent.filesystem.mount.keptlistings import KeptListings
from nodeagent.filesystem.mount.keptwrites import KeptWrites
from nodeagent.filesystem.mount.memory import Memory
from nodeagent.filesystem.mount.nodes import Node, key_of
from nodeagent.filesystem.mount.options import MountOptions
from nodeagent.filesystem.mount.secondlooks import SecondLooks
from nodeagent.filesystem.mount.serverside import ServerSide
from nodeagent.filesystem.mount.setbehind import SetBehind
from nodeagent.filesystem.mount.writebehind import WriteBehind
from nodeagent.mechanism.loop import Loop
from ssi.protocol.filereplies import Entry, Welcome
from ssi.transport.filelink import FileLink

READ_BUDGET: Final = 32
_NOBODY_WAITS: Final = {errno.ENOENT, errno.EINTR, errno.ENODEV, errno.ENOTCONN, errno.EBADF}
_log: Final = logging.getLogger(__name__)

Handler: TypeAlias = Callable[["Mount", Header, Body], None]


class Mount:
    """See the module.

    Args:
        loop: On which all of it runs.
        descriptor: Of /dev/fuse.
        options: How it behaves.
        link: To the server.
        handlers: What answers each kind of request.
        buffer: To read into; shared by all mounts, for each request is taken whole.
        memory: What the next worker will need to know.
        accounts: Users and groups as the server calls them.
        number: The mount's, by which writes are kept for the next worker.
        kept: Where they are.
    """

    def __init__(
        self,
        loop: Loop,
        descriptor: int,
        options: MountOptions,
        link: FileLink,
        handlers: dict[int, Handler],
        buffer: bytearray,
        memory: Memory,
        accounts: LocalAccounts,
        number: int,
        kept: KeptWrites,
    ) -> None:
        self.options = options
        self.nodes = memory.nodes
        self.beliefs = Beliefs(memory.nodes, options)
        self.listings = KeptListings()
        self.handles = memory.handles
        self.memory = memory
        self.accounts = accounts
        self.identities = Identities(
            self.accounts.user_name,
            self.accounts.user_id,
            self.accounts.group_name,
            self.accounts.group_id,
        )
        self.ended = False
        """Whether the kernel has taken the mount away."""
        self._loop = loop
        self._descriptor = descriptor
        self._handlers = handlers
        self._buffer = memoryview(buffer)
        self.server = ServerSide(
            loop, link, options, accounts, memory.nodes, self.fail, self._gave_up
        )
        self.second_looks = SecondLooks(self.server.tell)
        self.behind = WriteBehind(self, self.server, memory, self.beliefs, number, kept)
        self.settings = SetBehind(self.server, loop, memory, self.beliefs, self.behind)
        loop.watch(descriptor, readable=self._read)

    # The kernel's side

    def _read(self) -> None:
        for _ in range(READ_BUDGET):
            try:
                count = os.readv(self._descriptor, [self._buffer])
            except BlockingIOError:
                return
            except OSError as exc:
                if exc.errno in {errno.ENOENT, errno.EINTR}:
                    continue  # the request was taken back while it was read
                if exc.errno != errno.ENODEV:
                    _log.warning("event=mount-broke reason=%s", exc)
                self.close()
                return
            self.dispatch(self._buffer[:count])
            if len(self.server.waiting) <= 1:
                return  # a program that waits for its answer asks for nothing more

    def dispatch(self, message: memoryview) -> None:
        """Takes one request of the kernel."""
        try:
            header, body = decode(message)
        except BadRequest as exc:
            _log.error("event=bad-fuse-request reason=%s", exc)
            return
        handler = self._handlers.get(header.opcode)
        if isinstance(body, Interrupt):
            self.server.waiting.interrupt(body.unique)
        elif handler is None or body is None:
            self.fail(header, errno.ENOSYS)
        else:
            try:
                handler(self, header, body)
            except OSError as exc:
                self.fail(header, exc.errno or errno.EIO)

    def reply(self, header: Header, *parts: bytes | memoryview) -> None:
        """Answers the kernel."""
        self.server.waiting.end(header.unique)
        self._write([replies.header(header.unique, 0, sum(map(len, parts))), *parts])

    def fail(self, header: Header, error: int) -> None:
        """Answers with an errno."""
        self.server.waiting.end(header.unique)
        if header.opcode not in {Opcode.FORGET, Opcode.BATCH_FORGET}:  # which nobody waits for
            self._write([replies.header(header.unique, error, 0)])

    def fail_after(self, delay_s: float, header: Header, error: int) -> None:
        """Answers with an errno a moment later, or now."""
        if delay_s:
            self.wait(header)
            self._loop.call_after(delay_s, lambda: self.fail(header, error))
        else:
            self.fail(header, error)

    def notify(self, notice: bytes) -> None:
        """Tells the kernel something unasked."""
        self._write([notice])

    def _write(self, parts: list[bytes | memoryview]) -> None:
        self.memory.save()  # before the kernel knows
        try:
            os.writev(self._descriptor, parts)
        except OSError as exc:
            # The asker was killed meanwhile, or what the notice is about is not known.
            if exc.errno not in _NOBODY_WAITS:
                _log.warning("event=fuse-write-failed reason=%s", exc)

    def close(self) -> None:
        """Answers nothing any more."""
        if not self.ended:
            self.ended = True
            self.server.released.forget()
            self.behind.close()
            self.settings.close()
            self._loop.watch(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1  # to what was put off another file might have its number
            self.server.link.close()
            self.memory.close()

    def wait(self, header: Header) -> None:
        """A request waits for something that was asked already."""
        self.server.waiting.add(header)

    def waits(self, header: Header) -> bool:
        """Whether the kernel still wants an answer to what waits."""
        return header.unique in self.server.waiting

    def welcome(self, welcome: Welcome) -> None:
        """A session stands: the first, one that goes on, or a new one without our files."""
        self.identities.install(welcome.users, welcome.groups)
        self.server.released.are_taken = welcome.takes_released
        rebooted = self.memory.note_boot(welcome.boot)
        if welcome.kept:
            return
        self.server.released.forget()  # their numbers may mean other files now
        self.second_looks.forget()
        for file in self.handles.files.values():
            file.is_lost = True
            if file.lock_owners or file.has_flock or (file.unsynced and rebooted):
                file.error = errno.EIO  # somebody else may have had the lock, or bytes are gone
            self.memory.opened(file)
        for directory in self.handles.directories.values():
            directory.is_cut = directory.is_cut or bool(directory.rest)
            directory.rest = 0
        self.memory.save()  # the numbers of their handles are given anew from here on

    def _gave_up(self, unique: int) -> None:
        self._write([replies.header(unique, errno.EINTR, 0)])

    # Time, and those before

    def tick(self) -> None:
        """Called a few times a second."""
        self.second_looks.tick()
        self.server.released.tell_all()
        self.memory.save_all()
        self.server.link.tick(holds=bool(self.handles))

    def take_over(self) -> None:
        """Goes on where an earlier worker stopped: what it did not answer comes again."""
        self.behind.recover()
        self.settings.recover()
        self.notify(replies.resend())

    # What the kernel is told of files

    def told(self, node: Node, entry: Entry) -> bytes:
        """The attributes of an inode as they are here, which are noted as told."""
        attributes = self.identities.translate(entry.attributes)
        node.told, node.target = attributes, entry.target
        self.beliefs.told(node)
        if entry.plain:
            node.plain_until_s = time.monotonic() + self.options.attributes_s
        else:
            node.plain_until_s = 0.0
        return attributes

    def told_of_folder(self, folder: Node, attributes: bytes) -> None:
        """What a directory has become by the only change made in it meanwhile, or by being read.

        The kernel forgets what it knew of a directory with each name that is made or removed in
        it, and of when it was read with each listing, and asks for it before it goes on.
        """
        folder.told = self.identities.translate(attributes)
        self.beliefs.vouch(folder)

    def tell_entry(
        self, header: Header, folder: Node, name: bytes, entry: Entry, *, fresh: bool = False
    ) -> Node:
        """Answers with what a name leads to; ``fresh`` where that was made just now."""
        node, packed = self.entry(folder, name, entry, fresh=fresh)
        self.reply(header, packed)
        return node

    def entry(
        self, folder: Node, name: bytes, entry: Entry, *, fresh: bool = False
    ) -> tuple[Node, bytes]:
        """What a name leads to, which the kernel is about to be told."""
        node = self.nodes.remember(folder, name, key_of(entry), entry.attributes, fresh=fresh)
        attributes, options = self.told(node, entry), self.options
        return node, replies.entry(node.number, attributes, options.names_s, options.attributes_s)
