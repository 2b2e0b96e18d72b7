"""What a node has to mount so that a job sees its files there; decided here, mounted by shims."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from nodeagent.clientfiles import ClientFiles
from nodeagent.mechanism.libc import open_in_root
from nodeagent.mechanism.mounts import Mounts
from nodeagent.shim.filemounts import FileMount, Files, KnownFile
from ssi.model.job import JobRow
from ssi.model.jobfiles import FilesUnavailable, JobFiles, root_of
from ssi.protocol.migration import FileMeta

FUSE_KIND: Final = "fuse.ssi"
"""Of the file systems by which a node has the files of another."""

WAIT_S: Final = 5.0
"""For a node's files to be mounted: it may have joined a moment ago."""

_TRY_S: Final = 0.1


def files_on(node: str, files: JobFiles | None, known: Sequence[FileMeta] = ()) -> Files:
    """The mounts of a job on a node: none for what the node has at the same path anyway.

    Args:
        node: Where it is to run.
        files: What it sees of other nodes' files.
        known: Such files that it has open.
    """
    if files is None:
        return Files()
    mounts = tuple(
        FileMount(
            root="/" if bind.node == node else root_of(bind.node),
            path=bind.source,
            target=bind.target,
            label=f"{bind.node}:{bind.source}",
        )
        for bind in files.binds
        if files.is_whole or (bind.node, bind.source) != (node, bind.target)
    )
    described = tuple(
        KnownFile(
            path=meta.path,
            user=meta.user,
            mode=meta.mode,
            is_folder=meta.kind == "directory",
            writable=meta.writable,
        )
        for meta in known
    )
    return Files(mounts=mounts, root=files.root, node=node, known=described)


def missing_nodes(node: str, files: JobFiles | None, mounts: Mounts) -> list[str]:
    """Whose files a job needs on a node that has not mounted them."""
    if files is None:
        return []
    return [
        name
        for name in files.nodes()
        if name != node and mounts.kind_of(root_of(name)) != FUSE_KIND
    ]


def why_unusable() -> str:
    """Why no job of this node can ever see files of another one; empty where it can."""
    if os.geteuid() != 0:
        return "its agent does not run as root"
    return "" if Path("/dev/fuse").exists() else "it has no /dev/fuse"


async def await_mounts(node: str, files: JobFiles | None) -> None:
    """Returns once all that a job needs is mounted on this node.

    Raises:
        FilesUnavailable: Something is not.
    """
    give_up_at_s = asyncio.get_running_loop().time() + WAIT_S
    while missing := missing_nodes(node, files, Mounts.of_process(os.getpid())):
        if asyncio.get_running_loop().time() > give_up_at_s:
            raise FilesUnavailable(
                node=node, files=f"files of {missing[0]}", reason="they are not mounted there"
            )
        await asyncio.sleep(_TRY_S)


async def try_sources(files: Files) -> None:
    """Each of these files can be had now; takes 5 s where some do not answer.

    Raises:
        FilesUnavailable: One cannot.
    """
    whole = [FileMount(root=files.root, path="/", target="/", label=f"the root {files.root}")]
    mounts = (*(whole if files.root else ()), *files.mounts)
    await asyncio.gather(*(asyncio.to_thread(_try_source, files.node, each) for each in mounts))


def _try_source(node: str, mount: FileMount) -> None:
    """Blocks until the space is known, as the server answers that each time it is asked.

    Attributes may be of a second ago, and those of a root are told also while its node is away.
    """
    try:
        root = os.open(mount.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            source = open_in_root(root, mount.path)
        finally:
            os.close(root)
        try:
            os.fstatvfs(source)
        finally:
            os.close(source)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise FilesUnavailable(node=node, files=mount.label, reason=reason) from exc


async def file_obstacles(node: str, row: JobRow, clients: ClientFiles) -> list[str]:
    """Why a job that comes here cannot see the files that it sees, in a sentence; empty: it can."""
    reason = why_unusable()
    if reason and missing_nodes(node, row.files, Mounts("")):
        return [f"it sees files of other nodes, and {reason}"]
    try:
        await clients.bring(row.files, row.user)
        await await_mounts(node, row.files)
        await try_sources(files_on(node, row.files))
    except FilesUnavailable as exc:
        return [exc.what()]
    return []
