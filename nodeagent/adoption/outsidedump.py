"""CRIU dumps a tree of the host where it stands, from outside of any job."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from nodeagent.adoption.tree import Candidate
from nodeagent.mechanism import criu
from nodeagent.mechanism.crimage import BadImage
from nodeagent.shim.dump import mend_images
from nodeagent.shim.messages import Account
from nodeagent.shim.state import STATE_VERSION, SavedJob, SavedStream, encode_state, save_bytes
from ssi.model.job import DEFAULT_LOG_LIMIT_BYTES, StreamName
from ssi.model.shim import DumpFailed

TIME_LIMIT_S: Final = 600.0
_STREAMS: Final[tuple[StreamName, ...]] = ("stdin", "stdout", "stderr")


async def dump_outside(
    program: str, tree: list[Candidate], images: Path, account: Account, logs: str
) -> bytes:
    """Leaves the tree stopped and returns what a shim needs beside its images.

    Its standard streams stay what they are, so the job has none at its shim.

    Raises:
        DumpFailed: It was not dumped, and runs on.
    """
    root = tree[0]
    status = Path("/proc/self/status").read_text()
    real = account.uid != 0 and criu.lacks_sys_resource(status)
    arguments = criu.dump_arguments(
        program,
        root.pid,
        str(images),
        str(images),
        real_ids=real,
        terminal=root.session != root.pid,  # its session stays behind; it gets one of its own
    )
    if real:
        if not criu.KERNEL_FACTS.exists():
            await _run(criu.check_arguments(program))
        ids = ("--ruid", str(account.uid), "--rgid", str(account.gid))
        arguments = ["setpriv", *ids, "--keep-groups", *arguments]
    returned = await _run(arguments)
    if returned != 0:
        log = images / "dump.log"
        told = criu.first_error(log.read_text(errors="replace")) if log.exists() else ""
        raise DumpFailed(reason=told or f"criu ended with status {returned}")
    try:
        dead = frozenset(each.pid for each in tree if each.state == "Z")
        mend_images(images, dead, alone=True)
        for name in _STREAMS:
            save_bytes(images, name, b"")
    except (OSError, BadImage) as exc:
        raise DumpFailed(reason=f"its images cannot be used: {exc}") from exc
    return encode_state(_state(tree, account, logs))


def _state(tree: list[Candidate], account: Account, logs: str) -> SavedJob:
    closed = tuple(
        SavedStream(name=name, inode=0, capacity_bytes=0, start=0, ended=True) for name in _STREAMS
    )
    return SavedJob(
        version=STATE_VERSION,
        root=tree[0].pid,
        last_pid=max(each.pid for each in tree),
        account=account,
        streams=closed,
        terminal=None,
        logs=logs,
        log_limit_bytes=DEFAULT_LOG_LIMIT_BYTES,
        lease_s=0.0,
        note=b"",
    )


async def _run(arguments: list[str]) -> int:
    """Exit status of a command, which is waited for although its asker leaves."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C"},
    )
    try:
        async with asyncio.timeout(TIME_LIMIT_S):
            return await process.wait()
    except TimeoutError:
        process.kill()  # a tree that it was dumping runs on
        return await process.wait()
