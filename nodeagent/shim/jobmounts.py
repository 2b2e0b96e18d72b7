"""Makes files of other nodes appear to a job, within the mount namespace of its shim.

Sources are looked up as the job's user and beneath the root that they belong to, so a link of
another node leads where it leads there, and a bind opens no directory that its user could not
enter. A set-user-id program that took a user's files for the system's could be made to do
anything, so where an ordinary user has such files, set-user-id bits have no power.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from nodeagent.filesystem.freshness import doubt
from nodeagent.mechanism import libc
from nodeagent.mechanism.libc import MS_BIND, MS_NODEV, MS_NOSUID, MS_REC
from nodeagent.shim.filemounts import FileMount, Files
from nodeagent.shim.messages import Account
from nodeagent.shim.mountpoints import acting_as, make_point, make_point_in_root, path_of
from ssi.model.jobfiles import FilesUnavailable, is_within

_LOCAL: Final = ("/ssi", "/proc", "/sys", "/dev")
"""Of the node also where the root is another's; ``/ssi`` first, before there is more below it."""


def furnish(files: Files, account: Account) -> None:
    """Mounts what a job is to see. What was done before a failure goes away with the shim.

    Raises:
        FilesUnavailable: Something cannot be had, or not be put where it is wanted.
    """
    if not files.mounts and not files.root:
        return
    if files.root:
        with _telling(files.node, f"the root {files.root}"):
            _furnish_root(files.root)
    for root in {files.root, *(mount.root for mount in files.mounts)} - {""}:
        with _telling(files.node, root):
            doubt(root)
    targets = [mount.target for mount in files.mounts]
    for mount in files.mounts:
        if not any(is_within(mount.target, each) for each in targets if each != mount.target):
            _make_place(files, mount, account)
    # Only now: where the root itself had to be covered, what was open before is out of reach.
    sources = [_open_source(files.node, mount, account) for mount in files.mounts]
    for mount, source in zip(files.mounts, sources, strict=True):
        with _telling(files.node, f"{mount.label} at {mount.target}"):
            point = make_point(files.root, mount.target, account, source)
            libc.mount(path_of(source), path_of(point), "none", MS_BIND | MS_REC)
            os.close(point)
            os.close(source)
    if account.uid != 0:
        with _telling(files.node, "files without set-user-id bits"):
            libc.set_nosuid("/")


def _make_place(files: Files, mount: FileMount, account: Account) -> None:
    source = _open_source(files.node, mount, account)
    try:
        with _telling(files.node, f"{mount.label} at {mount.target}"):
            os.close(make_point(files.root, mount.target, account, source))
    finally:
        os.close(source)


def _open_source(node: str, mount: FileMount, account: Account) -> int:
    with _telling(node, mount.label):
        root = os.open(mount.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with acting_as(account):
                return libc.open_in_root(root, mount.path)
        finally:
            os.close(root)


def _furnish_root(root: str) -> None:
    """Another node's root, with what belongs to the machine that a process runs on."""
    for path in (*_LOCAL, "/run"):  # a machine that is no node has no /ssi
        make_point_in_root(root, path)
    for path in _LOCAL:
        libc.mount(path, root + path, "none", MS_BIND | MS_REC)
    libc.mount("ssi", f"{root}/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")


@contextmanager
def _telling(node: str, files: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise FilesUnavailable(node=node, files=files, reason=reason) from exc
