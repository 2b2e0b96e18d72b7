"""Takes orders for shims on the keeper's socket."""

from __future__ import annotations

import logging
import os
from typing import Final

from nodeagent.mechanism.loop import Loop
from nodeagent.shim.birth import fork_shim
from nodeagent.shim.messages import ForkShim, RequestMessage, ShimForked
from nodeagent.shim.server import Answer
from ssi.model.shim import ShimFailed, WrongStage

BIRTH_LIMIT_S: Final = 10.0
_log: Final = logging.getLogger(__name__)


class Forge:
    """Forks a shim per order, and answers once it listens."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def handle(self, request: RequestMessage, answer: Answer) -> None:
        """Takes :class:`~nodeagent.shim.messages.ForkShim` and nothing else.

        Raises:
            WrongStage: Another request, which is for a shim.
            ShimFailed: It cannot be forked.
        """
        if not isinstance(request, ForkShim):
            raise WrongStage(request=type(request).__name__, stage="kept by a keeper")
        try:
            _, report = fork_shim(request.directory, namespaces_wanted=request.namespaces)
        except OSError as exc:
            raise ShimFailed(reason=f"fork: {exc.strerror}") from exc
        _Birth(self._loop, report, answer)


class _Birth:
    """A shim that was forked and has not said yet that it listens."""

    def __init__(self, loop: Loop, report: int, answer: Answer) -> None:
        self._loop = loop
        self._report = report
        self._answer = answer
        self._told = b""
        self._late = loop.call_after(BIRTH_LIMIT_S, lambda: self._end("it does not listen"))
        loop.watch(report, readable=self._listen)

    def _listen(self) -> None:
        told = os.read(self._report, 4096)
        self._told += told
        words = dict(
            line.partition(" ")[::2] for line in self._told.decode(errors="replace").splitlines()
        )
        if "failed" in words:
            self._end(words["failed"])
        elif "ready" in words and "pid" in words:
            self._close()
            _log.info("event=shim-forked pid=%s", words["pid"])
            self._answer.give(ShimForked(pid=int(words["pid"])))
        elif not told:
            self._end("it ended at once")

    def _end(self, reason: str) -> None:
        self._close()
        _log.warning("event=shim-not-forked reason=%r", reason)
        self._answer.fail(ShimFailed(reason=reason))

    def _close(self) -> None:
        self._late.cancel()
        self._loop.watch(self._report)
        os.close(self._report)
