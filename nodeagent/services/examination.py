"""What this node is like, for ``ssi doctor``: facts, which whoever asked will judge."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from nodeagent.dispatch import Caller, Dispatcher
from nodeagent.filesystem.control import Control, Refused, ask_warden
from nodeagent.mechanism import cgroup, closes, livememory
from nodeagent.mechanism.hostmetrics import CriuProbe
from nodeagent.mechanism.journal import is_of_systemd
from nodeagent.mechanism.limits import limits_here
from nodeagent.mechanism.mounts import Mounts
from nodeagent.places import Places
from nodeagent.services.cordon import CordonService
from nodeagent.services.gpus import kinds_of_gpus
from ssi.model.examination import NodeFacts, lacking
from ssi.protocol.system import Examine, Examined
from ssi.version import VERSION


class ExaminationService:
    """Handler for examinations.

    Args:
        node: Name of this node.
        places: Its files.
        cordon: Tells whether it is cordoned.
    """

    def __init__(self, node: str, places: Places, cordon: CordonService) -> None:
        self._node = node
        self._places = places
        self._cordon = cordon

    def register_handlers(self, dispatcher: Dispatcher) -> None:
        """Serves what belongs to examinations."""
        dispatcher.serve(Examine, self._examine)

    async def _examine(self, _caller: Caller, _body: Examine) -> Examined:
        facts = await asyncio.to_thread(examine, self._places, cordoned=self._cordon.is_set)
        return Examined(node=self._node, facts=facts)


def examine(places: Places, *, cordoned: bool) -> NodeFacts:
    """Looks at this machine. Blocks for the 10 ms that ``criu --version`` takes."""
    system = os.uname()
    mounts, files_problem = mounted(places)
    return NodeFacts(
        python=platform.python_version(),
        version=VERSION,
        is_root=os.geteuid() == 0,
        kernel=system.release,
        arch=system.machine,
        criu=CriuProbe().version(),
        freezer=cgroup.freezer_version(),
        has_fuse=Path("/dev/fuse").exists(),
        has_pid_namespaces=Path("/proc/self/ns/pid").exists(),
        images_path=str(places.images),
        images_in_memory=Mounts.of_process(os.getpid()).kind_of(str(places.images)) == "tmpfs",
        images_free_bytes=shutil.disk_usage(places.images).free,
        state_path=str(places.state),
        state_free_bytes=shutil.disk_usage(places.state).free,
        open_keys=open_files((places.secret_key, places.clients)),
        cordoned=cordoned,
        fusermount=shutil.which("fusermount3") or "",
        mounts=mounts,
        files_problem=files_problem,
        tracks_writes=livememory.tracks_writes(),
        has_userfaultfd=livememory.has_userfaultfd(),
        limits=limits_here(),
        started_by="systemd" if is_of_systemd() else "ssi up",
        shell_lacks=shell_lacks(places),
        gpus=kinds_of_gpus(),
        guards_memory=closes.are_told(),
    )


def mounted(places: Places) -> tuple[int, str]:
    """How many nodes' files are mounted here, and why they are not."""
    try:
        return len(ask_warden(places.files_socket, Control(deed="list")).rows), ""
    except (OSError, Refused) as exc:
        return 0, f"the warden of the files does not answer: {exc}"


def shell_lacks(places: Places) -> tuple[str, ...]:
    """What a shell that is started here would lack; nothing where the command was left out."""
    try:
        deployed = json.loads((places.state / "deployed").read_bytes())
    except (OSError, ValueError):
        return ()
    if not deployed.get("faces"):
        return ()
    library = places.bundles / str(deployed["faces"]) / "lib"
    return lacking(
        shfmt=(library / "bin/shfmt").exists() or shutil.which("shfmt") is not None,
        grammar=(library / "tree_sitter_bash").exists(),
    )


def open_files(paths: Iterable[Path]) -> tuple[str, ...]:
    """Those of the files that others than their owner may read, each with its mode."""
    found = []
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            continue
        if mode & 0o077:
            found.append(f"{path} {mode:04o}")
    return tuple(found)
