"""The groups of ClusterShell on this machine, as nodeset(1) knows them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException
from ClusterShell.NodeUtils import (
    GroupResolverConfig,
    GroupResolverError,
    GroupResolverSourceError,
    GroupSourceError,
    GroupSourceNoUpcall,
)

from ssi.deploy.inventory.inventory import Inventory
from ssi.model.errors import UsageError

_SOURCE: Final = re.compile(r"(?<![^,!&^])@([^:,!&^@\[\]]+):")


def read(words: Sequence[str] = ()) -> Inventory:
    """All groups of the default source of groups, and of the sources that node sets name.

    Others are not asked: each is a command, which may be slow or not be there.

    Raises:
        UsageError: There is no such configuration, or it cannot be read.
    """
    files = config_files()
    if not any(file.is_file() for file in files):
        places = " nor ".join(map(str, files))
        raise UsageError(text=f"ClusterShell knows no groups: there is neither {places}")
    resolver = GroupResolverConfig([str(file) for file in files])
    try:
        groups = {name: _expand(resolver, name) for name in sorted(resolver.grouplist())}
        hosts = _all(resolver, groups)
        for source in sorted({name for word in words for name in _SOURCE.findall(word)}):
            for name in sorted(resolver.grouplist(source)):
                groups[f"{source}:{name}"] = _expand(resolver, f"{source}:{name}")
    except GroupResolverSourceError as exc:
        known = ", ".join(resolver.sources())
        raise UsageError(
            text=f"ClusterShell has no groups of {exc}; it has those of {known}"
        ) from exc
    except (GroupResolverError, GroupSourceError, NodeSetException, OSError) as exc:
        raise UsageError(text=f"ClusterShell's groups cannot be read: {exc}") from exc
    return Inventory(hosts=tuple(hosts), groups=groups)


def config_files() -> list[Path]:
    """Where ClusterShell looks, but for the prefix of Python.

    There its package puts a sample, whose nodes nobody has.
    """
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    files = [Path("/etc/clustershell/groups.conf"), config / "clustershell/groups.conf"]
    if "CLUSTERSHELL_CFGDIR" in os.environ:
        files.append(Path(os.environ["CLUSTERSHELL_CFGDIR"]) / "groups.conf")
    return files


def _expand(resolver: GroupResolverConfig, group: str) -> list[str]:
    """The members; a group may name others, as ``@racks:r1``."""
    return [str(name) for name in NodeSet(f"@{group}", resolver=resolver)]


def _all(resolver: GroupResolverConfig, groups: dict[str, list[str]]) -> list[str]:
    """All nodes, as the source says, or else those of all groups."""
    try:
        listed = NodeSet(",".join(resolver.all_nodes()), resolver=resolver)
    except GroupSourceNoUpcall:
        listed = NodeSet(
            ",".join(name for members in groups.values() for name in members),
            resolver=RESOLVER_NOGROUP,
        )
    return [str(name) for name in listed]
