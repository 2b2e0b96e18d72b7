"""An inventory as ``ssi up`` needs it, and where it comes from."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ssi.model.errors import UsageError
from ssi.model.nodeset import expand, fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Hosts and groups of hosts.

    Attributes:
        hosts: All of them, as their nodes will be called.
        groups: Members by the name of the group, without ``all``.
        ways: What ssh is told instead of a host's name, where that differs: ``ada@10.0.0.5``.
        left_out: Hosts that are not reached by ssh.
        refused: Hosts whose way cannot be taken, and why; only an error where one is named.
    """

    hosts: tuple[str, ...]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ways: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    refused: Mapping[str, UsageError] = field(default_factory=dict)

    def select(self, texts: Sequence[str]) -> list[str]:
        """The hosts that node sets name, each once, in their order.

        Raises:
            NodesetInvalid: One of them cannot be read, or names a group that there is not.
            UsageError: None was given: an inventory of ssh also has hosts that are none of ours.
                Or one was that is refused.
        """
        if not texts:
            groups = ", ".join(f"@{name}" for name in self.groups)
            raise UsageError(
                text=f"no host of the inventory is named; it has {fold(self.hosts) or 'none'}"
                + (f" and the groups {groups}" if groups else ""),
                hint="name some as `@web` or `'gpu*'`, or `all`",
            )
        groups_and_all = {**self.groups, "all": self.hosts}
        chosen = dict.fromkeys(name for text in texts for name in expand(text, groups_and_all))
        for name in chosen:
            if name in self.refused:
                raise self.refused[name]
        return list(chosen)


def read_inventory(source: str, words: Sequence[str] = ()) -> Inventory:
    """The inventory that a person names: ``ssh``, ``clustershell``, a file, or ``-`` for stdin.

    Args:
        source: As above.
        words: The node sets that will be selected: which sources of ClusterShell's are asked.

    Raises:
        UsageError: It cannot be read.
    """
    from ssi.deploy.inventory import ansible, clustershell, sshconfig

    if source == "ssh":
        return sshconfig.read(Path("~/.ssh/config").expanduser())
    if source == "clustershell":
        return clustershell.read(words)
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is no text"
        raise UsageError(
            text=f"the inventory {source} cannot be read: {reason}",
            hint="give ssh, clustershell, or a file that `ansible-inventory --list` wrote",
        ) from exc
    return ansible.parse(text)
