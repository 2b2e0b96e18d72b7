"""Commands of ssi that are forked from a process which has imported all they need.

A fresh interpreter takes 0.4 s of a processor before the command does anything, and the tests of
this folder run thousands. What a command does is the same, by the code of this tree; how it starts
is what ``tests/faces`` tests, and what everybody else here does: people at terminals, commands
that a test holds the pipes of, commands on hosts.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import NoReturn

from ssi.cli.invocation import suffer
from ssi.cli.main import COMMANDS, main
from ssi.cli.warm import NEVER_WARM
from ssi.cli.warm.server import preload

REQUEST_BYTES = 100_000
"""What a socket takes as one packet."""


def may_be_forked(words: Sequence[str]) -> bool:
    """Whether people have that command forked by their warm process, too."""
    return words[0] in COMMANDS and words[0] not in NEVER_WARM and sum(map(len, words)) < 20_000


def run_forked(
    words: Sequence[str], environment: Mapping[str, str], stdin: bytes, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    """Runs a command to its end, as :func:`subprocess.run` does with pipes.

    Raises:
        subprocess.TimeoutExpired: It took longer, and is killed.
    """
    keys, out, err = os.pipe(), os.pipe(), os.pipe()
    output = [b"", b""]
    threads = [Thread(target=_feed, args=(keys[1], stdin), daemon=True)]
    for number, pipe in enumerate((out, err)):
        threads.append(Thread(target=_drain, args=(pipe[0], output, number), daemon=True))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(timeout_s)
        connection.connect(_parent())
        request = json.dumps([list(words), dict(environment), os.getcwd()]).encode()
        theirs = [keys[0], out[1], err[1]]
        socket.send_fds(connection, [request], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        for thread in threads:
            thread.start()
        try:
            status = connection.recv(16)
        except TimeoutError:
            raise subprocess.TimeoutExpired(list(words), timeout_s) from None
    assert status, "who forks the commands has ended"
    for thread in threads[1:]:
        thread.join(timeout_s)
        if thread.is_alive():  # what it left behind holds its output
            raise subprocess.TimeoutExpired(list(words), timeout_s)
    return subprocess.CompletedProcess(list(words), int(status), *output)


def _feed(descriptor: int, data: bytes) -> None:
    with suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as pipe:
        while data:
            data = data[pipe.write(data) :]


def _drain(descriptor: int, output: list[bytes], number: int) -> None:
    with open(descriptor, "rb") as pipe:
        output[number] = pipe.read()


def _parent() -> str:
    """The address of the process that forks. It ends when nobody holds its stdin any more."""
    for name, process in _parents.items():
        if process.poll() is None:
            return f"\0{name}"
    name = f"ssi-tests-{os.getpid()}-{len(_parents)}"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hosts.forked", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    _parents[name] = process
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"ready\n"
    return f"\0{name}"


_parents: dict[str, subprocess.Popen[bytes]] = {}
"""By their addresses. One at a time forks; one that died has a successor."""


def end_parent() -> None:
    """No command is forked any more."""
    for process in _parents.values():
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


class Parent:
    """Forks a child for each connection, and tells over that how the child ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ)
        self._selector.register(listener, selectors.EVENT_READ, self._fork)

    def serve(self) -> None:
        """Until stdin ends."""
        while True:
            for key, _ in self._selector.select():
                if key.fd == 0:
                    return
                if self._selector.get_map().get(key.fd) is key:  # not closed by one before
                    key.data()

    def _fork(self) -> None:
        connection, _ = self._listener.accept()
        request, streams, *_ = socket.recv_fds(connection, REQUEST_BYTES, 3)
        pid = os.fork()
        if pid == 0:
            _become(request, streams)
        for descriptor in streams:
            os.close(descriptor)
        child = os.pidfd_open(pid)
        self._selector.register(child, selectors.EVENT_READ, self._ending(pid, child, connection))
        self._selector.register(connection, selectors.EVENT_READ, self._leaving(pid, connection))

    def _ending(self, pid: int, child: int, connection: socket.socket) -> Callable[[], None]:
        def ended() -> None:
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            self._selector.unregister(child)
            os.close(child)
            if connection in self._selector.get_map():
                self._selector.unregister(connection)
            with suppress(OSError):
                connection.send(b"%d" % status)
            connection.close()

        return ended

    def _leaving(self, pid: int, connection: socket.socket) -> Callable[[], None]:
        def left() -> None:
            """Nobody waits for it any more. It is not reaped yet, so the pid is its own."""
            self._selector.unregister(connection)
            os.kill(pid, signal.SIGKILL)

        return left


def _become(request: bytes, streams: Sequence[int]) -> NoReturn:
    """Turns this fork into the command, and never comes back."""
    status = 1
    try:
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        os.closerange(3, 1 << 16)
        words, environment, directory = json.loads(request)
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(environment)
        sys.stdin = os.fdopen(0, errors=sys.stdin.errors, closefd=False)
        sys.stdout = os.fdopen(1, "w", errors=sys.stdout.errors, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, errors=sys.stderr.errors, closefd=False)
        sys.argv = ["ssi", *words]
        status = main()
    except KeyboardInterrupt:
        status = -signal.SIGINT
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else 1
    except BaseException:  # the rim of a process, where the interpreter would do the same
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        if status < 0:
            suffer(-status)
        os._exit(status & 0xFF)  # nothing of the parent's may be cleaned up by the child


if __name__ == "__main__":
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(f"\0{sys.argv[1]}")
        listening.listen(64)
        preload()
        print("ready", flush=True)
        Parent(listening).serve()
