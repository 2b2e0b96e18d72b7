"""What holds the resident bash of a session on its node: its terminal, its lines, its state.

It is sent to the node as source and run there by the node's own Python, so it imports nothing but
the standard library and what :mod:`shell.session.hosting` sends with it. One pipe brings frames to
it and one takes frames away, so what was shown comes before the word that the line has ended.
Frames: a letter, four bytes of length, and as much.

To it: ``B`` how to begin (JSON), ``L`` a line (status to restore, NUL, text), ``K`` keys, ``W`` a
size (``rows columns``), ``Q`` a question (id, NUL, limit in seconds, NUL, a script), ``F`` wants a
file (id, NUL, path).
From it: ``O`` what is shown, ``T`` how a line ended (JSON), ``U`` keys that came after its end,
``A`` an answer (id, NUL, bytes; the id alone where there is none), ``X`` bash ended with that
status, below zero by that signal.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import selectors
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time

from shell.session.carried import OWN, aliases_of, compose, names_of
from shell.session.leftover import READ_BYTES, interrupts, partial, unread_keys
from shell.session.outgoing import send, write_all

LINES, TELLS, SCREEN = 198, 199, 197
FIELDS = 11
BEGUN = b"\2"
INLINE_BYTES = 8192
"""Of a line that bash reads byte by byte; a longer one comes in a file."""

KEPT_STATES = 64
"""Files of former states that are kept: what was started with one may read it later."""

MOST_ANSWER_BYTES = 4 * 1024 * 1024


class Host:
    """See the module."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.frames = bytearray()
        self.told = bytearray()
        self.shown = bytearray()
        self.ended: list[bytes] | None = None
        self.is_marked = self.is_interrupted = False
        self.number = 1
        self.is_under_way = True
        self.has_begun = False
        self.state = ""
        self.version = 0
        self.nonce = secrets.token_hex(8)
        self.mark = f"\033]7717;{self.nonce}\a".encode()
        self.ready_mark = f"\033]7718;{self.nonce}\a".encode()
        self.directory = tempfile.mkdtemp(prefix=".ssi-shell-")
        self.asked: dict[int, tuple[bytes, bytearray, float, int]] = {}
        self.pid = self.master = self.slave = self.lines = 0
        self.keys = bytearray()
        self.cwd = "/"
        self.born_with: set[str] = set()
        self.deadline = self.deadline_keys = 0.0

    def begin(self, how: dict[str, object]) -> None:
        """Starts the bash."""
        rc = os.path.join(self.directory, "rc")
        state, startup = str(how.get("state") or ""), str(how.get("rc") or "")
        with open(rc, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(str(how["resident"]))
            file.write(f"\n__ssi_nonce={self.nonce} __ssi_kept={self.directory}/trap")
            file.write(f"\n__ssi_own='{OWN.pattern}'\n")
            if state:
                path = self.keep(state)
                file.write(f"builtin . {path}\n")
            elif startup:
                file.write(f"[[ -r {startup} ]] && builtin . {startup}\n")
            file.write("__ssi_busy=1\n__ssi_begin $'\\033]7718;" + self.nonce + "\\a'\n")
        lines, self.lines = os.pipe()
        tells, tell = os.pipe()
        cwd = str(how.get("cwd") or "")
        environment = dict(os.environ)
        environment.update(how.get("environment") or {})  # type: ignore[call-overload]
        self.born_with = set(environment)
        self.master, slave = os.openpty()
        self.resize(str(how["size"]).encode())
        self.pid = os.fork()
        if self.pid == 0:
            self.become_bash(slave, lines, tell, cwd, environment, rc)
        os.close(lines)
        os.close(tell)
        # A description of our own: that of the programs must not become non-blocking with it.
        self.slave = os.open(os.ttyname(slave), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        os.close(slave)
        os.set_blocking(tells, False)
        os.set_blocking(self.master, False)
        self.selector.register(self.master, selectors.EVENT_READ, self.show)
        self.selector.register(tells, selectors.EVENT_READ, self.hear)
        self.selector.register(os.pidfd_open(self.pid), selectors.EVENT_READ, self.leave)

    def become_bash(
        self, slave: int, lines: int, tell: int, cwd: str, environment: dict[str, str], rc: str
    ) -> None:
        """In the child."""
        try:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for place in (cwd, environment.get("HOME", "/"), "/"):
                try:
                    os.chdir(place)
                    break
                except OSError:
                    continue
            numbers = ((slave, 0), (slave, 1), (slave, 2), (slave, SCREEN), (lines, LINES))
            for descriptor, number in (*numbers, (tell, TELLS)):
                os.dup2(descriptor, number)
            os.closerange(3, SCREEN)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            words = ["bash", "--noediting", "--noprofile", "--rcfile", rc, "-i"]
            os.execvpe("bash", words, environment)  # noqa: S606 - it is what the session is
        finally:
            os._exit(127)

    def serve(self) -> int:
        """Until bash has ended; its status."""
        self.selector.register(0, selectors.EVENT_READ, self.take)
        while True:
            for key, _ in self.selector.select(self.patience()):
                key.data(key.fd)
            self.give_up_late()
            if self.deadline and time.monotonic() > self.deadline:
                self.tell()
            if self.deadline_keys and time.monotonic() > self.deadline_keys:
                self.deadline_keys = 0.0
                self.type()

    def patience(self) -> float | None:
        """How long nothing has to be done."""
        times = [limit for _, _, limit, _ in self.asked.values()]
        times += [limit for limit in (self.deadline, self.deadline_keys) if limit]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def take(self, descriptor: int) -> None:
        """Frames from the client; at their end bash is hung up."""
        data = os.read(descriptor, READ_BYTES)
        if not data:
            self.selector.unregister(descriptor)
            self.hang_up()
            return
        self.frames += data
        while len(self.frames) >= 5:
            length = struct.unpack_from("!I", self.frames, 1)[0]
            if len(self.frames) < 5 + length:
                return
            kind, body = self.frames[:1].decode(), bytes(self.frames[5 : 5 + length])
            del self.frames[: 5 + length]
            self.obey(kind, body)

    def obey(self, kind: str, body: bytes) -> None:
        """Does what a frame says."""
        if kind == "B":
            self.begin(json.loads(body.decode("utf-8", "surrogateescape")))
        elif kind == "L":
            self.line(body)
        elif kind == "K":
            if self.is_under_way:
                self.keys += body
                self.type()
            else:
                send("U", body)
        elif kind == "W":
            self.resize(body)
        elif kind == "Q":
            self.ask(body)
        elif kind == "F":
            self.fetch(body)

    def type(self) -> None:
        """Gives the terminal as many keys as it takes now; the others when it has room.

        None before bash has read its line: ^C would cost a part of that.
        """
        if not self.has_begun:
            return
        try:
            now = bytes(self.keys[:1024])
            self.is_interrupted |= interrupts(self.master, self.pid, now)
            del self.keys[: os.write(self.master, now)]
        except BlockingIOError:
            pass
        if self.keys:
            self.deadline_keys = time.monotonic() + 0.02

    def line(self, body: bytes) -> None:
        """Gives bash a line."""
        status, _, text = body.partition(b"\0")
        text = text.replace(b"\0", b"")
        if len(text) > INLINE_BYTES:
            path = os.path.join(self.directory, "line")
            with open(path, "wb") as file:
                file.write(text)
            text = b"\1" + path.encode()
        self.ended, self.is_marked, self.is_interrupted = None, False, False
        self.number += 1
        self.is_under_way, self.has_begun = True, False
        write_all(self.lines, status + b"\0%d\0" % self.number + text + b"\0")

    def resize(self, body: bytes) -> None:
        """The terminal has another size."""
        rows, columns = map(int, body.split())
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def show(self, descriptor: int) -> None:
        """What bash and its programs write, without our marks."""
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # bash and all that had its terminal are gone
            self.selector.unregister(descriptor)
            return
        self.shown += data
        if self.ready_mark in self.shown:  # all rounds were broken: an empty line begins anew
            self.shown = self.shown.replace(self.ready_mark, b"")
            self.has_begun = True
            self.keys[:0] = b"\n"
            self.type()
        while self.mark in self.shown:
            self.shown = self.shown.replace(self.mark, b"", 1)
            self.is_marked = True
        held = partial(self.shown, (self.mark, self.ready_mark))
        if ready := bytes(self.shown[: len(self.shown) - held]):
            send("O", ready)
            del self.shown[: len(ready)]
        if self.is_marked and self.ended is not None:
            self.tell()

    def hear(self, descriptor: int) -> None:
        """What bash tells after a line."""
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self.selector.unregister(descriptor)
            return
        self.told += data
        if not self.has_begun and BEGUN in data:
            self.has_begun = True
            self.type()
        if self.told.endswith(b"\0\n") and self.told.count(b"\0") > FIELDS:
            fields = bytes(self.told).split(b"\0")[-FIELDS - 1 : -1]
            self.told.clear()
            number, _, fields[0] = fields[0].partition(b" ")
            if not self.is_under_way or int(number) != self.number:
                return  # told before ^C came, and again
            self.ended = fields
            if self.is_marked:
                self.tell()
            else:  # what it has shown is still on its way; a mark may be lost, but not for ever
                self.deadline = time.monotonic() + 1.0

    def tell(self) -> None:
        """Says how the line ended, after all that it has shown."""
        assert self.ended is not None
        self.deadline = 0.0
        if self.shown:
            send("O", bytes(self.shown))
            self.shown.clear()
        texts = [field.decode("utf-8", "surrogateescape") for field in self.ended]
        self.ended, self.is_marked = None, False
        self.is_under_way = self.has_begun = False
        statuses, self.cwd, flags, *parts = texts
        names, aliases, traps, jobs = parts[2], parts[3], parts[6], parts[7]
        words = statuses.split()
        is_broken = words[-1:] == ["broken"]
        if self.is_interrupted and not is_broken and "SIGINT" not in traps:
            # ^C came as bash had done and was deaf: what follows ends too, and never hears of it.
            termios.tcflush(self.slave, termios.TCIFLUSH)
            words, is_broken = ["130", "130", "broken"], True
        told: dict[str, object] = {
            "statuses": [int(each) for each in (words[:-1] if is_broken else words)],
            "is_broken": is_broken,
            "cwd": self.cwd,
            "flags": flags,
            "jobs": jobs,
            "traps": traps,
            "unread": (unread_keys(self.slave) + bytes(self.keys)).decode("latin-1"),
        }
        self.keys.clear()
        state = compose(parts, self.born_with)
        if state != self.state or not self.version:
            self.state = state
            told["functions"], told["aliases"] = names_of(names), aliases_of(aliases)
            told["state"] = state
            told["path"] = self.keep(state)
        send("T", json.dumps(told).encode())

    def keep(self, state: str) -> str:
        """Writes a state where other bashes, and those of other nodes, can read it; the path."""
        self.version += 1
        path = os.path.join(self.directory, f"state-{self.version}")
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(state)
        old = os.path.join(self.directory, f"state-{self.version - KEPT_STATES}")
        if os.path.exists(old):
            os.unlink(old)
        return path

    def ask(self, body: bytes) -> None:
        """Runs a script beside the session."""
        name, limit, script = body.split(b"\0", 2)
        out, inner = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                nothing = os.open(os.devnull, os.O_RDWR)
                for descriptor, number in ((nothing, 0), (inner, 1), (nothing, 2)):
                    os.dup2(descriptor, number)
                os.closerange(3, 256)
                os.chdir(self.cwd)
                where = os.path.join(self.directory, f"state-{self.version}")
                words = [b"bash", b"-c", script]
                os.execvpe("bash", words, {**os.environ, "BASH_ENV": where})  # noqa: S606
            finally:
                os._exit(127)
        os.close(inner)
        os.set_blocking(out, False)
        self.asked[out] = (name, bytearray(), time.monotonic() + float(limit), pid)
        self.selector.register(out, selectors.EVENT_READ, self.answer)

    def answer(self, descriptor: int) -> None:
        """What a script beside the session prints; its end is the answer."""
        name, got, _, pid = self.asked[descriptor]
        data = os.read(descriptor, READ_BYTES)
        got += data
        if not data or len(got) > MOST_ANSWER_BYTES:
            self.close_question(descriptor, name + b"\0" + bytes(got), pid)

    def give_up_late(self) -> None:
        """Ends the scripts beside the session whose time is over."""
        now = time.monotonic()
        for descriptor, (name, _, limit, pid) in list(self.asked.items()):
            if now > limit:
                self.close_question(descriptor, name, pid)

    def close_question(self, descriptor: int, answer: bytes, pid: int) -> None:
        """Sends the answer, and ends whatever is left of the script."""
        self.selector.unregister(descriptor)
        os.close(descriptor)
        del self.asked[descriptor]
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        send("A", answer)

    def fetch(self, body: bytes) -> None:
        """Sends a small file."""
        name, _, path = body.partition(b"\0")
        try:
            with open(path, "rb") as file:
                send("A", name + b"\0" + file.read(MOST_ANSWER_BYTES))
        except OSError:
            send("A", name)

    def hang_up(self) -> None:
        """The client is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGHUP)

    def leave(self, _: int) -> None:
        """Bash has ended: its status is ours, after all that it has shown."""
        try:
            while data := os.read(self.master, READ_BYTES):
                self.shown += data
        except OSError:  # nothing more is shown
            if self.shown:
                send("O", bytes(self.shown))
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        send("X", str(status).encode())
        shutil.rmtree(self.directory, ignore_errors=True)
        os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(Host().serve())
