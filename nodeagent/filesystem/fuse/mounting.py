"""Mounts and unmounts. Source: mount(2), fusermount3(1), fuse.rst of the kernel."""

from __future__ import annotations

import array
import ctypes
import os
import re
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

from nodeagent.mechanism import libc

KIND: Final = "fuse.ssi"
_MNT_DETACH: Final = 2
_UMOUNT_NOFOLLOW: Final = 8
_TIMEOUT_S: Final = 10.0
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")

_libc: Final = ctypes.CDLL(None, use_errno=True)


def mount_as_root(point: str, source: str) -> int:
    """Mounts at a directory; the descriptor on which the kernel will ask.

    Set-user-id bits and devices of another machine have no power here.

    Raises:
        OSError: No /dev/fuse, or the kernel refused.
    """
    descriptor = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    options = f"fd={descriptor},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other"
    try:
        libc.mount(source, point, KIND, libc.MS_NOSUID | libc.MS_NODEV, options)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def mount_as_user(point: str, source: str) -> int:
    """As :func:`mount_as_root`, by the set-user-id program ``fusermount3``.

    Raises:
        OSError: It is not installed, or it refused; the text is its own.
    """
    program = shutil.which("fusermount3")
    if program is None:
        raise FileNotFoundError("fusermount3 is not installed")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        options = f"nosuid,nodev,default_permissions,fsname={source},subtype=ssi"
        run = subprocess.run(
            [program, "-o", options, "--", point],
            env={**os.environ, "_FUSE_COMMFD": str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if run.returncode != 0:
            raise OSError(run.stderr.decode(errors="replace").strip() or "fusermount3 failed")
        size = array.array("i").itemsize
        _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(size))
        descriptor = array.array("i", ancillary[0][2][:size])[0]
    os.set_inheritable(descriptor, False)
    os.set_blocking(descriptor, False)
    return descriptor


def unmount(point: str) -> None:
    """Takes the uppermost mount at a path away, at once, whoever still uses it.

    Raises:
        OSError: There is none, or it is not ours.
    """
    flags = ctypes.c_int(_MNT_DETACH | _UMOUNT_NOFOLLOW)
    if _libc.umount2(os.fsencode(point), flags) == 0:
        return
    code = ctypes.get_errno()
    program = shutil.which("fusermount3")
    if os.geteuid() == 0 or program is None:
        raise OSError(code, os.strerror(code), point)
    run = subprocess.run(
        [program, "-u", "-z", "--", point], capture_output=True, timeout=_TIMEOUT_S, check=False
    )
    if run.returncode != 0:
        raise OSError(run.stderr.decode(errors="replace").strip())


def mounts_within(folder: str, mountinfo: str) -> list[tuple[str, str]]:
    """Mount points at or below a path with their kinds, the innermost and latest first."""
    found = []
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
        if point == folder or point.startswith(folder.rstrip("/") + "/"):
            found.append((point, right.split()[0]))
    return sorted(found, key=lambda each: each[0].count("/"), reverse=True)


def read_ahead(point: str, kib: int) -> None:
    """Sets how much is read ahead on the mount at a path; nothing where that is not permitted."""
    fields = [line.split() for line in read_mountinfo().splitlines()]
    devices = [each[2] for each in fields if each[4] == point]
    if devices:
        with suppress(OSError):  # /sys may be read-only, or absent
            Path(f"/sys/class/bdi/{devices[-1]}/read_ahead_kb").write_text(str(kib))


def read_mountinfo() -> str:
    """The mounts of this process."""
    return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
