"""Keeps one agent running: watches the one that runs, starts one where none does."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

from nodeagent.keeper.backoff import Backoff
from nodeagent.mechanism.daemon import daemon_command
from nodeagent.mechanism.loop import Loop
from nodeagent.mechanism.pidfile import open_process, write_pidfile
from nodeagent.places import Places

STOP_LIMIT_S: Final = 5.0
"""Between SIGTERM and SIGKILL for an agent that is to end."""

_log: Final = logging.getLogger(__name__)


class Supervisor:
    """See the module."""

    def __init__(self, loop: Loop, places: Places, options: Sequence[str]) -> None:
        self._loop = loop
        self._places = places
        self._command = daemon_command("nodeagent", options)
        self._backoff = Backoff()
        self._agent = 0
        self._started_s = 0.0
        self._stopped: Callable[[], None] | None = None

    def begin(self) -> None:
        """An agent runs from now on: the one that does, or a new one."""
        running = open_process(self._places.agent_pid)
        self._started_s = time.monotonic()
        if running is None:
            self._start()
            return
        self._agent, process = running
        _log.info("event=agent-found pid=%d", self._agent)

        def ended() -> None:
            self._loop.watch(process)
            os.close(process)
            self._ended(None)

        self._loop.watch(process, readable=ended)

    def stop(self, stopped: Callable[[], None]) -> None:
        """Ends the agent, and calls ``stopped`` once it has."""
        self._stopped = stopped
        if not self._agent:
            stopped()
            return
        self._signal(signal.SIGTERM)
        self._loop.call_after(STOP_LIMIT_S, lambda: self._signal(signal.SIGKILL))

    def _start(self) -> None:
        if self._stopped is not None:
            return
        self._started_s = time.monotonic()
        try:
            self._agent = self._spawn()
        except OSError as exc:
            _log.warning("event=agent-not-started reason=%s", exc)
            self._loop.call_after(self._backoff.delay_s(0), self._start)
            return
        _log.info("event=agent-started pid=%d", self._agent)
        self._loop.on_exit(self._agent, self._ended)
        try:
            write_pidfile(self._places.agent_pid, self._agent)
        except OSError as exc:  # a keeper after us would start a second agent, which then ends
            _log.warning("event=pidfile-not-written reason=%s", exc)

    def _spawn(self) -> int:
        """Starts it with its errors going to its log, and no descriptor of ours."""
        log = os.open(
            self._places.agent_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            return os.posix_spawn(
                self._command[0],
                self._command,
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGHUP, signal.SIGINT],
                setsid=True,
            )
        finally:
            os.close(log)

    def _ended(self, status: int | None) -> None:
        pid, self._agent = self._agent, 0
        lived_s = time.monotonic() - self._started_s
        _log.warning("event=agent-ended pid=%d status=%s lived_s=%.1f", pid, status, lived_s)
        if self._stopped is not None:
            self._stopped()
            return
        self._loop.call_after(self._backoff.delay_s(lived_s), self.begin)

    def _signal(self, number: signal.Signals) -> None:
        if self._agent:
            try:
                os.kill(self._agent, number)
            except ProcessLookupError:
                _log.info("event=agent-gone pid=%d", self._agent)
