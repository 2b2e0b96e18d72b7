"""The namespaces of a job: pids of its own, and mounts that follow those of the host.

Source: pid_namespaces(7), mount_namespaces(7), devpts in the kernel's documentation.
"""

from __future__ import annotations

import os
from pathlib import Path

from nodeagent.mechanism import libc

_TTY_GROUP = 5
"""Group ``tty`` of every distribution; terminals are 0620 of it, as write(1) and wall(1) expect."""


def fork_as_first() -> int:
    """As ``os.fork``, with the child pid 1 of a namespace of its own.

    The process must have one thread only: a child that another one made meanwhile would be that.

    Raises:
        OSError: Not root, the kernel has no such namespaces, or no more processes.
    """
    ours = os.open("/proc/self/ns/pid", os.O_RDONLY)
    try:
        libc.unshare(libc.CLONE_NEWPID)
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid:  # further children are born where this process lives
                libc.setns(ours, libc.CLONE_NEWPID)
    finally:
        os.close(ours)
    return pid


def leave_mounts() -> None:
    """Mounts of this process are its own from now on.

    Raises:
        OSError: Not root, or the kernel has no such namespaces.
    """
    libc.unshare(libc.CLONE_NEWNS)


def furnish() -> None:
    """Makes the namespaces habitable; called by pid 1.

    Mounts stay slaves of the host's, so a late mount of the host (a file system of another node)
    appears to the job as well. /proc shows the job's pids, and its terminals are apart from the
    host's, so that their numbers are free wherever it moves.

    Raises:
        OSError: A mount was refused.
    """
    assert os.getpid() == 1
    safe = libc.MS_NOSUID | libc.MS_NOEXEC
    libc.mount("none", "/", "none", libc.MS_REC | libc.MS_SLAVE)
    libc.mount("proc", "/proc", "proc", safe | libc.MS_NODEV)
    options = f"newinstance,ptmxmode=0666,mode=0620,gid={_TTY_GROUP}"
    libc.mount("devpts", "/dev/pts", "devpts", safe, options)


def set_last_pid(pid: int) -> None:
    """The next process of this pid namespace gets ``pid`` + 1, or the next free number.

    Raises:
        OSError: Not permitted, or no such pid.
    """
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid))


def last_pid() -> int:
    """The pid that was given last in this pid namespace."""
    return int(Path("/proc/sys/kernel/ns_last_pid").read_text())


class HostProc:
    """/proc of the host, kept open by a process that has one of its own.

    It is opened before :func:`furnish`, and never by a process of the job.
    """

    def __init__(self) -> None:
        self._directory = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)

    def own_pid(self) -> int:
        """The pid of this process as the host sees it."""
        return int(os.readlink("self", dir_fd=self._directory))

    def pid_of(self, pid: int) -> int:
        """What the host calls the process that is ``pid`` here; 0 once it is gone."""
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            return 0
        try:
            info = os.open(f"self/fdinfo/{process}", os.O_RDONLY, dir_fd=self._directory)
            with os.fdopen(info) as lines:
                pids = [int(line.split()[1]) for line in lines if line.startswith("Pid:")]
        finally:
            os.close(process)
        return pids[0] if pids and pids[0] > 0 else 0
