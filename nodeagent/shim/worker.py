"""A CRIU that waits for its one request, loaded by then."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from nodeagent.mechanism import criu, criurpc
from nodeagent.mechanism.crimage import BadImage
from nodeagent.mechanism.criurpc import Told
from nodeagent.mechanism.loop import Loop
from nodeagent.shim.imager import Done, Imager, Run
from nodeagent.shim.messages import Account

WAIT_LIMIT_S: Final = 120.0
"""For its request; a move that needs longer to be prepared starts another CRIU."""

Hear: TypeAlias = Callable[[Told], None]

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What CRIU must know when it starts.

    Attributes:
        log: Name of its log file in the work directory.
        real: Whose real ids it must have; see :func:`real_ids_of`.
        terminal: The job has one.
        lazy: For a dump that leaves most memory with the stopped processes.
        cgroup: That it joins, and what it restores with it; empty: ours.
    """

    criu: str
    log: str
    real: Account | None = None
    terminal: bool = False
    lazy: bool = False
    cgroup: str = ""


class Worker:
    """Started when it is made. One that nobody wants any more is to be dismissed.

    Args:
        loop: Of the shim.
        work: Directory for its log.
        setting: For which requests it is fit.
        inherited: Our descriptors that it finds under their numbers. They have to stay open.
        terminal: The slave of the job's terminal, for a restore: its standard input.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(
        self,
        loop: Loop,
        work: Path,
        setting: Setting,
        *,
        inherited: tuple[int, ...] = (),
        terminal: int | None = None,
    ) -> None:
        self.setting = setting
        self._loop = loop
        self._imager = Imager(loop, work)
        self._hear: Hear | None = None
        self._done: Done | None = None
        self._has_ended = False
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        pages = self._pages = _closed_socket() if setting.lazy else None
        arguments = criu.worker_arguments(
            setting.criu,
            self._theirs.fileno(),
            str(work),
            setting.log,
            real_ids=setting.real is not None,
            terminal=setting.terminal,
            pages=pages,
        )
        run = Run(
            arguments=arguments,
            log=setting.log,
            real=setting.real,
            inherited=(self._theirs.fileno(), *inherited, *(() if pages is None else (pages,))),
            terminal=terminal,
            cgroup=setting.cgroup,
        )
        try:
            self._imager.start(run, self._ended)
        except OSError:
            self._close()
            raise
        self._timer = loop.call_after(WAIT_LIMIT_S, self.dismiss)

    @property
    def pid(self) -> int:
        """Of CRIU; 0 once it has ended."""
        return self._imager.pid

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it, wherever it had come to."""
        return self._imager.was_killed

    def fits(self, setting: Setting) -> bool:
        """Whether it waits, and for requests of that kind."""
        return self.setting == setting and self._done is None and not self._has_ended

    def ask(self, request: bytes, hear: Hear, done: Done) -> None:
        """Makes the request.

        Args:
            request: One of :mod:`~nodeagent.mechanism.criurpc`.
            hear: Takes what CRIU says meanwhile.
            done: Called once it has ended, with why it failed or None.
        """
        self._timer.cancel()
        self._hear, self._done = hear, done
        if self._has_ended:
            self._loop.call_after(0, lambda: done("criu ended before its time"))
            return
        self._imager.limit()
        self._loop.watch(self._ours.fileno(), readable=self._on_message)
        self._ours.send(request)  # both ends are ours as well: never refused

    def answer(self, *, go_on: bool) -> None:
        """To a stage: CRIU goes on, or kills what it has restored and fails."""
        if not self._has_ended:
            self._ours.send(criurpc.answer(go_on=go_on))

    def dismiss(self) -> None:
        """Nobody wants it; what it was asked for comes to nothing. Harmless once it has ended."""
        self._imager.kill()

    def _on_message(self) -> None:
        assert self._hear is not None
        with contextlib.suppress(BlockingIOError):
            message = self._ours.recv(criurpc.MAX_BYTES)
            try:
                told = criurpc.read_told(message)
            except BadImage as exc:
                _log.error("event=criu-not-understood reason=%s", exc)
                self.answer(go_on=False)
            else:
                self._hear(told)

    def _ended(self, failure: str | None) -> None:
        self._has_ended = True
        self._timer.cancel()
        self._close()
        if self._done is not None:
            self._done(failure)

    def _close(self) -> None:
        self._loop.watch(self._ours.fileno())
        self._ours.close()
        self._theirs.close()
        if self._pages is not None:
            os.close(self._pages)
            self._pages = None


def real_ids_of(account: Account) -> Account | None:
    """The account whose real ids CRIU must have on this machine; None for root's own."""
    if account.uid == 0:
        return None
    status = Path("/proc/self/status").read_text()
    if not criu.lacks_sys_resource(status):
        return None
    return msgspec.structs.replace(account, groups=())


def _closed_socket() -> int:
    """One end of a pair of sockets of which nobody has the other any more."""
    ours, theirs = socket.socketpair()
    theirs.close()
    return ours.detach()
