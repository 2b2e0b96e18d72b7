"""Starts a command as a child, and learns whether it was executed.

What can be decided is decided before there is a child, which then makes a list of system calls
(:mod:`nodeagent.mechanism.calls`). The list holds what each of them returned; that it is done, the
end of a pipe tells, which closes by itself on exec.

Source: fork(2), execve(2), credentials(7).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

from nodeagent.mechanism import closes, landlock, libc
from nodeagent.mechanism.calls import Calls, Mark, Slot
from nodeagent.shim.messages import Account
from ssi.model.errors import SsiError
from ssi.model.launch import CommandNotExecutable, CommandNotFound, CwdMissing, StartFailed

DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_UMASK: Final = 0o022
_BORN: Final = b"B"
_JOIN: Final = b"0"
"""Who writes that to ``cgroup.procs`` is the one that joins."""

_AT_FDCWD: Final = -100
_LISTENER_S: Final = 2.0
_POLL_S: Final = 0.0002
_LEAST_COPY: Final = 10
"""Descriptors are copied from above the lowest three: a source may itself be one of those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A command and its surroundings.

    Attributes:
        environment: The whole of it; the command is looked up in its PATH.
        stdio: Our descriptors that become 0, 1 and 2.
        inherited: Our descriptors that keep their number.
        cwds: Candidates in order; none leaves the directory as it is.
        account: As whom; None: as this process.
        real_account: Run with the real ids of this account and the effective ids of root.
        cgroup: Directory of the cgroup to join; empty: stay in ours.
        terminal: stdin or stdout is the terminal of this session: be its foreground group.
            Otherwise the command gets a session of its own.
        root: Its root directory; empty: ours.
        asks: Our descriptor from which it reads a byte before it executes the command: once we have
            its :meth:`Child.listener`, which hears of each descriptor that it closes. None: it asks
            nobody.
        job: Make it fit to move: adopt orphans, have SysV IPC objects apart from everybody's, see
            no Landlock. Needs root.
    """

    argv: tuple[str, ...]
    environment: dict[str, str]
    stdio: tuple[int, int, int]
    inherited: tuple[int, ...] = ()
    cwds: tuple[str, ...] = ()
    account: Account | None = None
    real_account: Account | None = None
    cgroup: str = ""
    terminal: bool = False
    root: str = ""
    asks: int | None = None
    job: bool = False


class Child:
    """A child that becomes its command, or tells why not.

    Attributes:
        pid: Of it.
        report: Descriptor that ends once it runs its command, or never will.
    """

    def __init__(self, pid: int, report: int, orders: _Orders) -> None:
        self.pid = pid
        self.report = report
        self._orders = orders

    def listener(self) -> int | None:
        """A descriptor of what it asks before it closes one (:mod:`~nodeagent.mechanism.closes`).

        None where the kernel does not let it ask, or it has ended.
        """
        give_up_at_s = time.monotonic() + _LISTENER_S
        while (number := self._orders.asks()) is None and time.monotonic() < give_up_at_s:
            time.sleep(_POLL_S)
        if number is None or number < 0:
            return None
        try:
            return libc.descriptor_of(self.pid, number)
        except OSError:
            return None

    def refusal(self) -> SsiError | None:
        """Why it does not run its command; None where it does. Closes :attr:`report`.

        A caller that must not block waits for the end of that first.
        """
        while os.read(self.report, 1):
            pass
        os.close(self.report)
        self._orders.calls.close()
        return self._orders.refusal()


def start_child(launch: Launch) -> Child:
    """Starts a child that becomes the command.

    Raises:
        OSError: No more processes or descriptors, or words that no program can be given.
    """
    with _copies(launch.stdio) as stdio:
        for fork in (Calls.fork, _fork_into):
            child = _attempt(launch, stdio, fork)
            if child is not None:
                return child
        return _fork_and_join(launch, stdio)


@contextmanager
def _copies(stdio: Sequence[int]) -> Iterator[list[int]]:
    copies: list[int] = []
    try:
        for descriptor in stdio:
            copies.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LEAST_COPY))
        yield copies
    finally:
        for copy in copies:
            os.close(copy)


def _attempt(
    launch: Launch, stdio: Sequence[int], fork: Callable[[Calls, str], int]
) -> Child | None:
    """A child born in its cgroup; None where it cannot be, or was killed at its birth.

    The kernel does that where an older cgroup above was killed once through ``cgroup.kill``: it
    takes the younger one's count of kills for that of its parent's (6.18, ``cgroup_post_fork``,
    seen).
    """
    report, teller = os.pipe()
    try:
        orders = _Orders(launch, stdio, teller)
        pid = fork(orders.calls, launch.cgroup)
    except OSError:
        os.close(report)
        return None
    finally:
        os.close(teller)
    if os.read(report, 1) == _BORN:
        return Child(pid, report, orders)
    os.close(report)
    os.waitpid(pid, 0)
    orders.calls.close()
    return None


def _fork_into(calls: Calls, cgroup: str) -> int:
    calls.prepare()
    pid = libc.fork_into_cgroup(cgroup) if cgroup else os.fork()
    if pid == 0:
        _carry_out(calls)
    return pid


def _fork_and_join(launch: Launch, stdio: Sequence[int]) -> Child:
    """Version 1 of cgroups, or an old kernel: the child joins by itself."""
    opened = list(os.pipe())
    report, teller = opened
    try:
        if launch.cgroup:
            opened.append(os.open(f"{launch.cgroup}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC))
        orders = _Orders(launch, stdio, teller, *opened[2:])
        orders.calls.prepare()
        pid = os.fork()
        if pid == 0:
            _carry_out(orders.calls)
        opened.remove(report)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    os.read(report, 1)  # that it was born; where it was not, its end tells why
    return Child(pid, report, orders)


def _carry_out(calls: Calls) -> None:
    """In a fork. Nothing of the shim may go on in this copy of it, whatever is raised."""
    try:
        signal.set_wakeup_fd(-1)
        calls.carry_out()
    finally:
        os._exit(127)


class _Attempt(NamedTuple):
    """One path that the command may be at."""

    execute: Slot
    is_there: Slot
    as_script: Slot


class _Place(NamedTuple):
    """One directory in which it may start; None for the present one."""

    enter: Slot | None
    attempts: list[_Attempt]


class _Orders:
    """What a child is to do for its launch, as a list of calls, and what their results mean."""

    def __init__(
        self, launch: Launch, stdio: Sequence[int], teller: int, procs: int | None = None
    ) -> None:
        self.calls = Calls()
        self._launch = launch
        self._steps: list[tuple[str, Slot]] = []
        self._places: list[_Place] = []
        self._end = Mark()
        self.calls.add("write", teller, self.calls.text(_BORN), len(_BORN))
        if procs is not None:
            self._must("cgroup", "write", procs, self.calls.text(_JOIN), len(_JOIN))
        self._arrange(stdio)
        self._enter_session(stdio)
        self._separate()
        self._assume()
        self._asks = self._ask()
        self._execute()

    def refusal(self) -> SsiError | None:
        """Why the command was not executed, once the child has done what it could."""
        command = self._launch.argv[0]
        for step, slot in self._steps:
            if (code := self._error(slot)) is not None:
                return StartFailed(command=command, step=step, reason=os.strerror(code))
        for place in self._places:
            if place.enter is None or self._error(place.enter) is None:
                return self._why_not(place)
        return CwdMissing(cwds=list(self._launch.cwds))

    def _why_not(self, place: _Place) -> SsiError | None:
        command = self._launch.argv[0]
        refusal: int | None = None
        for attempt in place.attempts:
            code = self._error(attempt.execute)
            if code == errno.ENOEXEC:
                code = self._error(attempt.as_script)
                if code is not None:
                    return CommandNotExecutable(command=command, reason=os.strerror(code))
            if code is None:
                return None
            is_missing = self._error(attempt.is_there) is not None
            if code not in {errno.ENOENT, errno.ENOTDIR} or not is_missing:
                refusal = refusal or code
        if refusal is None:
            return CommandNotFound(command=command)
        if refusal == errno.ENOENT:
            return CommandNotExecutable(command=command, reason="its interpreter is missing")
        return CommandNotExecutable(command=command, reason=os.strerror(refusal))

    def _error(self, slot: Slot) -> int | None:
        """With which error a call failed; None where it did not, or was not made."""
        result = self.calls.result(slot)
        return -result if result is not None and result < 0 else None

    def _must(self, step: str, name: str, *arguments: int | Slot) -> Slot:
        """Adds a call without which the command is not executed."""
        slot = self.calls.add(name, *arguments, otherwise=self._end)
        self._steps.append((step, slot))
        return slot

    def _arrange(self, stdio: Sequence[int]) -> None:
        self.calls.add("umask", _UMASK)
        for target, copy in enumerate(stdio):
            self._must("descriptors", "dup3", copy, target, 0)
        for fd in self._launch.inherited:
            self._must("descriptors", "fcntl", fd, fcntl.F_SETFD, 0)

    def _enter_session(self, stdio: Sequence[int]) -> None:
        if not self._launch.terminal:
            self._must("session", "setsid")
            return
        self._must("session", "setpgid", 0, 0)
        # A background group that changes the terminal gets SIGTTOU, and would stop here.
        self.calls.ignore(signal.SIGTTOU, ignored=True)
        group = self._must("session", "getpid")
        self._must("session", "ioctl", 0 if os.isatty(stdio[0]) else 1, termios.TIOCSPGRP, group)
        self.calls.ignore(signal.SIGTTOU, ignored=False)

    def _separate(self) -> None:
        if self._launch.job:
            # Only a job whose parent lost its way keeps it in the tree that is dumped.
            self._must("namespaces", "prctl", libc.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            # CRIU, outside of this namespace, takes it along; objects of its own namespace it
            # would refuse, or worse (semaphores) forget.
            self._must("namespaces", "unshare", libc.CLONE_NEWIPC)
            self._must("namespaces", "prctl", *landlock.hiding())
        if self._launch.root:
            self._must("root", "chroot", self.calls.text(self._launch.root))
            self._must("root", "chdir", self.calls.text("/"))

    def _assume(self) -> None:
        real, account = self._launch.real_account, self._launch.account
        if real is not None:
            self._must("account", "setresgid", real.gid, 0, 0)
            self._must("account", "setresuid", real.uid, 0, 0)
        if account is None or (os.geteuid() != 0 and account.uid == os.geteuid()):
            return
        groups = self.calls.numbers(account.groups, ctypes.c_uint32)
        self._must("account", "setgroups", len(account.groups), groups)
        self._must("account", "setresgid", account.gid, account.gid, account.gid)
        self._must("account", "setresuid", account.uid, account.uid, account.uid)

    def asks(self) -> int | None:
        """The child's number of its listener, or its error; None before it has come to it."""
        return None if self._asks is None else self.calls.result(self._asks)

    def _ask(self) -> Slot | None:
        if self._launch.asks is None:
            return None
        slot = self.calls.add("seccomp", *closes.asking())
        self.calls.add("read", self._launch.asks, self.calls.text(_BORN), len(_BORN))
        return slot

    def _execute(self) -> None:
        """As execvp(3) in the first directory that lets us in, with its name in PWD."""
        launch, calls = self._launch, self.calls
        words = [calls.text(word) for word in launch.argv]
        paths = [
            calls.text(path)
            for path in _candidates(launch.argv[0], launch.environment.get("PATH", DEFAULT_PATH))
        ]
        for cwd in launch.cwds:
            elsewhere = Mark()
            slot = calls.add("chdir", calls.text(cwd), otherwise=elsewhere)
            self._places.append(_Place(slot, []))
            self._try_paths(paths, words, {**launch.environment, "PWD": cwd})
            calls.place(elsewhere)
        if not launch.cwds:
            self._places.append(_Place(None, []))
            self._try_paths(paths, words, launch.environment)
        calls.place(self._end)
        calls.end()

    def _try_paths(
        self, paths: Sequence[int], words: Sequence[int], environment: dict[str, str]
    ) -> None:
        """The PATH of the job, and the shell for a text without ``#!``."""
        calls = self.calls
        argv = calls.numbers([*words, 0], ctypes.c_uint64)
        variables = [calls.text(f"{name}={value}") for name, value in environment.items()]
        envp = calls.numbers([*variables, 0], ctypes.c_uint64)
        scripts = [Mark() for _ in paths]
        tried = []
        for path, script in zip(paths, scripts, strict=True):
            execute = calls.add("execve", path, argv, envp, error=errno.ENOEXEC, instead=script)
            tried.append((execute, calls.add("faccessat", _AT_FDCWD, path, os.F_OK)))
        calls.end()
        shell = calls.text("/bin/sh")
        for path, script, (execute, is_there) in zip(paths, scripts, tried, strict=True):
            calls.place(script)
            script_argv = calls.numbers([shell, path, *words[1:], 0], ctypes.c_uint64)
            as_script = calls.add("execve", shell, script_argv, envp, otherwise=self._end)
            self._places[-1].attempts.append(_Attempt(execute, is_there, as_script))


def _candidates(command: str, path: str) -> list[str]:
    if "/" in command:
        return [command]
    folders = path.split(":") if command else []
    return [f"{folder}/{command}" if folder else command for folder in folders]
