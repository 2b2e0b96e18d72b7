"""How a shim comes into being: two forks from the keeper's warm image.

The first child leaves the host's namespaces and tells the pid of the second, which is pid 1 of the
new ones, lives on by itself, and tells when it listens. So a shim costs a few milliseconds and
shares most of its memory with the keeper, and nobody of the keeper's is its parent.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from pathlib import Path
from typing import Final, NoReturn

from nodeagent.mechanism import libc, namespaces
from nodeagent.mechanism.loop import Loop
from nodeagent.mechanism.namespaces import HostProc
from nodeagent.shim.server import Server, listen
from nodeagent.shim.shim import SOCKET_NAME, Shim

LOG_NAME: Final = "shim.log"

_IGNORED: Final = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGPIPE,
)
"""What a terminal or a shutdown sends to everybody; a shim ends after its job."""

_log: Final = logging.getLogger(__name__)


def fork_shim(directory: str, *, namespaces_wanted: bool) -> tuple[int, int]:
    """Forks; returns the first child's pid and a descriptor that tells of the second.

    It tells ``pid N``, then ``ready`` or ``failed WHY``, each on a line, and then ends.

    Raises:
        OSError: No more processes or descriptors.
    """
    report, teller = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(report)
        os.close(teller)
        raise
    if pid == 0:
        _leave(directory, teller, namespaces_wanted=namespaces_wanted)
    os.close(teller)
    return pid, report


def _leave(directory: str, teller: int, *, namespaces_wanted: bool) -> NoReturn:
    """In the first child."""
    try:
        signal.set_wakeup_fd(-1)
        _close_all_but(teller)
        if namespaces_wanted:
            namespaces.leave_host()
        pid = os.fork()
        if pid == 0:
            _live(directory, teller, namespaces_wanted=namespaces_wanted)
        os.write(teller, f"pid {pid}\n".encode())
    except OSError as exc:
        os.write(teller, f"failed {exc}\n".encode())
    finally:
        # This copy of the keeper must never run on as one.
        os._exit(0)


def _live(directory: str, teller: int, *, namespaces_wanted: bool) -> NoReturn:
    """In the second child: is the shim, to its end."""
    try:
        host: HostProc | None = None
        try:
            os.setsid()
            os.chdir("/")
            for number in _IGNORED:
                signal.signal(number, signal.SIG_IGN)
            libc.set_process_name("ssi-shim")
            if namespaces_wanted:
                host = HostProc()
                namespaces.furnish()
            else:
                libc.become_subreaper()
            _open_log(Path(directory) / LOG_NAME)
            listener = listen(Path(directory) / SOCKET_NAME)
        except OSError as exc:
            os.write(teller, f"failed {exc}\n".encode())
            return_code = 1
        else:
            loop = Loop()
            shim = Shim(loop, Path(directory), host)
            shim.serve(Server(loop, listener, shim.handle))
            os.write(teller, b"ready\n")
            os.close(teller)
            gc.freeze()
            loop.run()
            (Path(directory) / SOCKET_NAME).unlink(missing_ok=True)
            return_code = 0
        os._exit(return_code)
    except BaseException:
        # The rim of the process: whatever it is belongs into the log, and never into the frames
        # of the keeper that this process is a copy of.
        _log.critical("event=shim-broke", exc_info=True)
    finally:
        os._exit(1)


def _close_all_but(kept: int) -> None:
    """Closes every descriptor of the keeper; its objects stay untouched behind our frames."""
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _open_log(path: Path) -> None:
    """Standard output and error are the log, input is empty; opened within the new mounts."""
    null = os.open("/dev/null", os.O_RDONLY)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
