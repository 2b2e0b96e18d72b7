"""What the kernel and the shell of this machine allow a process. Source: proc(5), inotify(7)."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Final

from nodeagent.mechanism import criu
from ssi.model.examination import UNKNOWN, Limits

_KERNEL: Final = Path("/proc/sys")


def limits_here() -> Limits:
    """Those of this process; ``UNKNOWN`` where the kernel does not tell."""
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    user_namespaces = _number("user/max_user_namespaces")
    if _number("kernel/unprivileged_userns_clone") == 0:  # of Debian's kernels
        user_namespaces = 0
    return Limits(
        open_files=UNKNOWN if descriptors == resource.RLIM_INFINITY else descriptors,
        inotify_instances=_number("fs/inotify/max_user_instances"),
        inotify_watches=_number("fs/inotify/max_user_watches"),
        user_namespaces=user_namespaces,
        pipe_bytes=_pipe_bytes(),
    )


def _pipe_bytes() -> int:
    """CAP_SYS_RESOURCE knows no limit. Source: fcntl(2), ``F_SETPIPE_SZ``."""
    if not criu.lacks_sys_resource(Path("/proc/self/status").read_text()):
        return UNKNOWN
    return _number("fs/pipe-max-size")


def _number(name: str) -> int:
    try:
        return int((_KERNEL / name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return UNKNOWN
