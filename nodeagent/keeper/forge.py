"""Takes orders for shims on the keeper's socket, and has one in reserve."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from nodeagent.mechanism.loop import Loop, Timer
from nodeagent.mechanism.mounts import MountWatch
from nodeagent.shim.birth import UnbornShim, fork_shim
from nodeagent.shim.keepermessages import ForkShim, ShimForked
from nodeagent.shim.messages import RequestMessage
from nodeagent.shim.server import Answer
from ssi.model.shim import ShimFailed, WrongStage

BIRTH_LIMIT_S: Final = 10.0

RESTOCK_S: Final = 0.025
"""After an order: by then the job runs from which a fork would take the processor."""

LOOK_S: Final = 1.0
"""How often the spare is looked after when nobody orders."""

_log: Final = logging.getLogger(__name__)


class Forge:
    """Answers each order with a shim that listens: the spare one, else one forked for it.

    The first order makes known what the agent wants; from then on there is one spare. A change of
    the host's mounts ends it, for where they do not spread to other namespaces it would not have
    the new ones, and would hold on to the old.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._mounts = MountWatch()
        self._spare: UnbornShim | None = None
        self._wanted: bool | None = None
        self._restock: Timer | None = None

    def handle(self, request: RequestMessage, answer: Answer) -> None:
        """Takes :class:`~nodeagent.shim.keepermessages.ForkShim` and nothing else.

        Raises:
            WrongStage: Another request, which is for a shim.
            ShimFailed: It cannot be forked.
        """
        if not isinstance(request, ForkShim):
            raise WrongStage(request=type(request).__name__, stage="kept by a keeper")
        spare = self._take_spare(namespaces=request.namespaces)
        if spare is None:
            self._fork(request, answer)
        else:  # it holds nothing yet: where it was killed, another one takes its place
            self._bear(spare, request, answer, lambda: self._refork(request, answer))
        self._wanted = request.namespaces
        self._look_after(RESTOCK_S)

    def close(self) -> None:
        """Ends the spare; there will be no other."""
        self._wanted = None
        self._drop_spare()

    def _take_spare(self, *, namespaces: bool) -> UnbornShim | None:
        self._check_spare()
        if self._spare is not None and self._spare.has_namespaces != namespaces:
            self._drop_spare()
        shim, self._spare = self._spare, None
        return shim

    def _fork(self, request: ForkShim, answer: Answer) -> None:
        try:
            shim = fork_shim(namespaces_wanted=request.namespaces)
        except OSError as exc:
            raise ShimFailed(reason=f"fork: {exc.strerror}") from exc
        self._bear(shim, request, answer, None)

    def _refork(self, request: ForkShim, answer: Answer) -> None:
        _log.warning("event=spare-ended")
        try:
            self._fork(request, answer)
        except ShimFailed as exc:
            answer.fail(exc)

    def _bear(
        self,
        shim: UnbornShim,
        request: ForkShim,
        answer: Answer,
        again: Callable[[], None] | None,
    ) -> None:
        with suppress(OSError):  # it has ended, which its report tells
            shim.send(request.directory)
        _Birth(self._loop, shim, answer, again)

    def _look_after(self, delay_s: float) -> None:
        """Stocks after that delay, or when it was to be anyway, whichever is earlier."""
        if self._restock is not None and self._restock.pending:
            if self._restock.due_s <= time.monotonic() + delay_s:
                return
            self._restock.cancel()
        self._restock = self._loop.call_after(delay_s, self._stock)

    def _stock(self) -> None:
        """Has a spare that is as good as a fresh one."""
        if self._wanted is None:
            return
        self._check_spare()
        if self._spare is None:
            try:
                self._spare = fork_shim(namespaces_wanted=self._wanted)
            except OSError as exc:  # the next order will tell whoever wants a job
                _log.warning("event=no-spare reason=%s", exc.strerror)
        self._look_after(LOOK_S)

    def _check_spare(self) -> None:
        """Lets go of a spare that does not see the mounts of now, or that failed or was killed."""
        changed = self._mounts.has_changed()
        if self._spare is not None and (changed or not self._spare.is_waiting):
            self._drop_spare()

    def _drop_spare(self) -> None:
        if self._spare is not None:
            self._spare.drop()
            self._spare = None


class _Birth:
    """A shim that was told its directory and has not said yet that it listens.

    Args:
        again: Called in the place of an answer where it ends without a word.
    """

    def __init__(
        self, loop: Loop, shim: UnbornShim, answer: Answer, again: Callable[[], None] | None
    ) -> None:
        self._loop = loop
        self._again = again
        self._pid = shim.pid
        self._report = shim.report
        self._answer = answer
        self._told = b""
        self._late = loop.call_after(BIRTH_LIMIT_S, lambda: self._end("it does not listen"))
        loop.watch(self._report, readable=self._listen)

    def _listen(self) -> None:
        told = os.read(self._report, 4096)
        self._told += told
        word, _, reason = self._told.decode(errors="replace").partition("\n")[0].partition(" ")
        if told and b"\n" not in self._told:
            return
        if word == "ready":
            self._close()
            _log.info("event=shim-forked pid=%d", self._pid)
            self._answer.give(ShimForked(pid=self._pid))
        elif word == "failed":
            self._end(reason)
        elif self._again is not None:
            self._close()
            self._again()
        else:
            self._end("it ended at once")

    def _end(self, reason: str) -> None:
        self._close()
        _log.warning("event=shim-not-forked reason=%r", reason)
        self._answer.fail(ShimFailed(reason=reason))

    def _close(self) -> None:
        self._late.cancel()
        self._loop.watch(self._report)
        os.close(self._report)
