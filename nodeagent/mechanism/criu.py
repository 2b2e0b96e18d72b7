"""The command lines of CRIU, and what its log says. Nothing is run here.

CRIU is used inside the namespaces of a job, on the job's tree alone, so that it dumps no
namespace and needs to know of no mount. Source: criu(8), CRIU 4.2 ``criu/crtools.c``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

GHOST_LIMIT: Final = "64M"
"""Deleted files up to this size that a job holds open travel within the images."""

KERNEL_FACTS: Final = Path("/run/criu.kdat")
"""Where CRIU keeps what it found out about the kernel."""

WORKER: Final = "swrk"
"""Word of the command line of which :func:`worker_arguments` is made."""

LAZY_PAGES: Final = "lazy-pages"
"""That of :func:`lazy_pages_arguments`."""

OURS: Final = frozenset({(WORKER,), (LAZY_PAGES,)})
"""What follows the name of a CRIU that a shim has begun."""

LAZY_SOCKET: Final = "lazy-pages.socket"
"""Where a restore hands over the memory of its processes (CRIU ``uffd.c``)."""

_CAP_SYS_RESOURCE: Final = 24
_HARMLESS: Final = ("Can't setup RLIMIT_NOFILE", "Can't get default rlimit", "Unable to create tun")


def find_criu() -> str:
    """Path of CRIU on this machine; empty where there is none."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return shutil.which("criu", path=path) or ""


def lacks_sys_resource(status: str) -> bool:
    """Whether a process with that ``/proc/PID/status`` has root's powers but CAP_SYS_RESOURCE.

    Then CRIU cannot touch a job of another uid, because prlimit(2) refuses; with the *real* ids of
    the job's owner it can, as prlimit compares real ids.
    """
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return not int(line.split()[1], 16) >> _CAP_SYS_RESOURCE & 1
    return False


def check_arguments(criu: str) -> list[str]:
    """Finds out about the kernel, and remembers it in :data:`KERNEL_FACTS`."""
    return [criu, "check", "--no-default-config"]


def dump_arguments(
    criu: str,
    root: int,
    images: str,
    work: str,
    *,
    real_ids: bool,
    terminal: bool,
) -> list[str]:
    """Dumps the tree of ``root`` into ``images`` and leaves it stopped.

    Args:
        criu: Its path.
        root: First process, as CRIU sees it.
        images: An existing directory.
        work: An existing directory, for the log.
        real_ids: It runs with the real ids of an ordinary user; see :func:`lacks_sys_resource`.
        terminal: It has one, controlled by a session leader outside of it.
    """
    return [
        criu,
        "dump",
        "--tree",
        str(root),
        "--leave-stopped",
        "--images-dir",
        images,
        *_common(work, "dump.log", real_ids=real_ids, terminal=terminal),
    ]


def worker_arguments(
    criu: str,
    orders: int,
    work: str,
    log: str,
    *,
    real_ids: bool,
    terminal: bool,
    pages: int | None = None,
) -> list[str]:
    """Waits for a request of :mod:`~nodeagent.mechanism.criurpc`, carries it out and ends.

    To load CRIU takes as long as a small restore, and so it can be loaded before anything stands
    still.

    Args:
        criu: Its path.
        orders: Our descriptor of the socket of requests.
        work: An existing directory, for the log.
        log: Name of the log.
        real_ids: It runs with the real ids of an ordinary user; see :func:`lacks_sys_resource`.
        terminal: The job has a terminal, controlled by a session leader outside of its tree; that
            of a restore is CRIU's standard input.
        pages: For a lazy dump, our descriptor of a socket whose other end is closed: CRIU leaves
            private memory out of the images, offers it there, finds that nobody wants it, and
            ends well. The memory is then read from the stopped processes themselves.
    """
    return [
        criu,
        WORKER,
        str(orders),
        *(() if pages is None else ("--lazy-pages", *_page_socket(pages))),
        *_common(work, log, real_ids=real_ids, terminal=terminal),
    ]


def lazy_pages_arguments(criu: str, images: str, work: str, pages: int) -> list[str]:
    """Gives a restored tree its memory as it touches it, and the rest of it meanwhile.

    Ends well once all of it has come. When it ends otherwise, untouched memory reads as zeros.

    Args:
        criu: Its path.
        images: Of a lazy dump.
        work: Where the restore finds its socket, :data:`LAZY_SOCKET`.
        pages: Our descriptor of a socket that answers as CRIU's page server does.
    """
    common = _common(work, "lazy.log", real_ids=False, terminal=False)
    source = ("--page-server", *_page_socket(pages), "--images-dir", images)
    return [criu, LAZY_PAGES, *source, *common]


def _page_socket(descriptor: int) -> tuple[str, ...]:
    return ("--ps-socket", str(descriptor))


def first_error(log: str) -> str:
    """The line of a log that tells best why CRIU failed; empty where none does."""
    return next(iter(_errors(log.splitlines())), "")


def _errors(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        # (00.012345)   1003: Error (criu/files-reg.c:1234): Can't open file tmp/x
        _, marked, told = line.partition("Error (")
        if marked and not any(harmless in told for harmless in _HARMLESS):
            yield told.partition("): ")[2].strip() or told


def _common(work: str, log: str, *, real_ids: bool, terminal: bool) -> list[str]:
    return [
        "--work-dir",
        work,
        "--log-file",
        log,
        "-v2",
        "--no-default-config",
        "--manage-cgroups=ignore",
        "--file-locks",
        "--ghost-limit",
        GHOST_LIMIT,
        # nft refuses where real and effective uid differ; a job with a connection to outside is
        # refused anyway.
        *(("--network-lock", "skip") if real_ids else ()),
        *(("--shell-job",) if terminal else ()),
    ]
