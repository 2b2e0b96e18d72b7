"""Forks and executes a command, and learns whether the exec succeeded.

The child tells of a failure through a pipe that closes by itself on exec: end of file means that
the command runs. Source: fork(2), execve(2), credentials(7).
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from nodeagent.mechanism import libc
from nodeagent.mechanism.landlock import hide_landlock
from nodeagent.shim.messages import Account
from ssi.model.errors import FieldValue, SsiError
from ssi.model.launch import CommandNotExecutable, CommandNotFound, CwdMissing, StartFailed

DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_UMASK: Final = 0o022


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
    job: bool = False


class _Report(msgspec.Struct, array_like=True):
    word: str
    fields: dict[str, FieldValue]


def fork_child(launch: Launch) -> tuple[int, int]:
    """Forks; returns the child's pid and the descriptor that :func:`read_report` reads.

    Raises:
        OSError: No more processes or descriptors.
    """
    report, teller = os.pipe()
    try:
        pid, launch = _fork(launch)
    except OSError:
        os.close(report)
        os.close(teller)
        raise
    if pid == 0:
        _become(launch, teller)
    os.close(teller)
    return pid, report


def _fork(launch: Launch) -> tuple[int, Launch]:
    """Forks, into the cgroup where that can be; then the launch asks for no cgroup any more."""
    if launch.cgroup:
        try:
            pid = _fork_into(launch.cgroup)
        except OSError:
            pid = -1  # version 1, or an old kernel: the child joins by itself
        if pid >= 0:
            return pid, replace(launch, cgroup="")
    return os.fork(), launch


def _fork_into(cgroup: str) -> int:
    """As ``os.fork`` with the child in that cgroup; -1 where the kernel killed it at its birth.

    It does so where an older cgroup above was killed once through ``cgroup.kill``: the kernel takes
    the younger one's count of kills for that of its parent's (6.18, ``cgroup_post_fork``, seen).

    Raises:
        OSError: This kernel or this cgroup does not have it.
    """
    born, teller = os.pipe()
    try:
        pid = libc.fork_into_cgroup(cgroup)
    except OSError:
        os.close(born)
        os.close(teller)
        raise
    if pid == 0:
        os.write(teller, b"B")
    os.close(teller)
    lives = pid == 0 or os.read(born, 1) == b"B"
    os.close(born)
    if lives:
        return pid
    os.waitpid(pid, 0)
    return -1


def read_report(report: int) -> SsiError | None:
    """Why the child did not execute its command; None when it did. Closes the descriptor.

    It is readable at once or after the exec; a caller that must not block waits for that.
    """
    with os.fdopen(report, "rb") as stream:
        told = stream.read()
    if not told:
        return None
    decoded = msgspec.msgpack.decode(told, type=_Report)
    return SsiError.from_wire(decoded.word, decoded.fields)


def _become(launch: Launch, teller: int) -> NoReturn:
    """In the child: becomes the command, or tells why not."""
    try:
        step = "setting up"
        try:
            for name, act in (
                ("signals", _reset_signals),
                ("cgroup", lambda: _join(launch.cgroup)),
                ("descriptors", lambda: _arrange(launch)),
                ("session", lambda: _enter_session(terminal=launch.terminal)),
                ("namespaces", lambda: _separate(job=launch.job)),
                ("root", lambda: _enter_root(launch.root)),
                ("account", lambda: _assume(launch)),
            ):
                step = name
                act()
            environment = _enter_directory(launch)
            _execute(launch.argv, environment)
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise StartFailed(command=launch.argv[0], step=step, reason=reason) from exc
    except SsiError as exc:
        os.write(teller, msgspec.msgpack.encode(_Report(exc.word, exc.wire_fields())))
    finally:
        # Nothing of the shim may go on in this copy of it, whatever was raised.
        os._exit(127)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if signal.getsignal(number) not in {signal.SIG_DFL, None}:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _join(cgroup: str) -> None:
    if cgroup:
        (Path(cgroup) / "cgroup.procs").write_text("0")


def _arrange(launch: Launch) -> None:
    os.umask(_UMASK)
    # Copies above the lowest three first: a source may itself be one of those.
    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in launch.stdio]
    for target, copy in enumerate(copies):
        os.dup2(copy, target, inheritable=True)
    for fd in launch.inherited:
        os.set_inheritable(fd, True)


def _enter_session(*, terminal: bool) -> None:
    if not terminal:
        os.setsid()
        return
    os.setpgid(0, 0)
    # A background group that changes the terminal gets SIGTTOU, and would stop here.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0 if os.isatty(0) else 1, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)


def _separate(*, job: bool) -> None:
    if not job:
        return
    # Only a job whose parent lost its way keeps it in the tree that is dumped.
    libc.become_subreaper()
    # CRIU, outside of this namespace, takes it along; objects of its own namespace it would
    # refuse, or worse (semaphores) forget.
    libc.unshare(libc.CLONE_NEWIPC)
    hide_landlock()


def _enter_root(root: str) -> None:
    if root:
        os.chroot(root)
        os.chdir("/")


def _assume(launch: Launch) -> None:
    if launch.real_account is not None:
        os.setresgid(launch.real_account.gid, 0, 0)
        os.setresuid(launch.real_account.uid, 0, 0)
    account = launch.account
    if account is None or (os.geteuid() != 0 and account.uid == os.geteuid()):
        return
    os.setgroups(account.groups)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)


def _enter_directory(launch: Launch) -> dict[str, str]:
    """Goes to the first directory that lets us in; the environment with its name in PWD."""
    for cwd in launch.cwds:
        try:
            os.chdir(cwd)
        except OSError:
            continue
        return {**launch.environment, "PWD": cwd}
    if launch.cwds:
        raise CwdMissing(cwds=list(launch.cwds))
    return launch.environment


def _execute(argv: tuple[str, ...], environment: dict[str, str]) -> NoReturn:
    """As execvp(3): the PATH of the job, and the shell for a text without ``#!``."""
    command = argv[0]
    refusal: OSError | None = None
    for path in _candidates(command, environment.get("PATH", DEFAULT_PATH)):
        try:
            os.execve(path, argv, environment)  # noqa: S606 - the user's own words, no shell wanted
        except OSError as exc:
            if exc.errno == errno.ENOEXEC:
                script = ("/bin/sh", path, *argv[1:])
                os.execve(script[0], script, environment)  # noqa: S606 - as execvp(3) does
            if exc.errno not in {errno.ENOENT, errno.ENOTDIR} or Path(path).exists():
                refusal = refusal or exc
    if refusal is None:
        raise CommandNotFound(command=command)
    if refusal.errno == errno.ENOENT:
        raise CommandNotExecutable(command=command, reason="its interpreter is missing")
    raise CommandNotExecutable(command=command, reason=refusal.strerror or str(refusal))


def _candidates(command: str, path: str) -> list[str]:
    if "/" in command:
        return [command]
    return [str(Path(folder or ".") / command) for folder in path.split(":")] if command else []
