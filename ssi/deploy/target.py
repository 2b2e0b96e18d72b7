"""Where a host is and how to log in to it, as OpenSSH's own configuration says.

``ssh -G`` resolves a name where ssh is installed, because it alone reads every ``Match`` and
``Include`` as the user's ssh does; else paramiko's reader serves. The hosts of a running lab are
known by their names, without any configuration. Source: ssh_config(5).
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

import paramiko

from ssi.deploy.unreached import HostUnknown
from ssi.model.errors import UsageError

DEFAULT_CONNECT_TIMEOUT_S = 10.0
RESOLVE_TIMEOUT_S = 10.0
"""``Match exec`` runs programs of the user; one that hangs must not hang us."""

LONGEST_CHAIN = 8
"""Jump hosts before a host; a jump host that jumps through itself ends here."""

Options: TypeAlias = Mapping[str, Sequence[str]]
"""Values of each option, in order, the option's name in lower case."""

_DEFAULT_IDENTITIES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_DEFAULT_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@\s]+)@)?(?P<host>\[[^\]]+\]|[^:\s]+)(?::(?P<port>\d+))?"
)
_LISTS = frozenset({"userknownhostsfile", "globalknownhostsfile"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A host as ssh would reach it.

    Attributes:
        name: As the user gave it, with ``user@`` where that was given.
        alias: The name without the user: what its node is called.
        spelled: A name that resolves to the same host without any option: ``lab:LAB:HOST`` for one
            of a lab.
        hostname: Name or address to connect to.
        identities: Private key files, in the order to try; not all need exist.
        certificates: User certificates beside those named ``KEY-cert.pub``.
        agent_socket: Of the key agent; empty for none.
        identities_only: Offer no key of the agent that no identity file names.
        user_known_hosts: Files of known host keys; a new key is appended to the first.
        host_key_name: Name under which its key is kept, where it is not the address.
        strict: ``StrictHostKeyChecking``: ``yes`` never asks, ``accept-new`` never has to.
        jumps: The hosts through which the connection goes, nearest first.
    """

    name: str
    alias: str
    spelled: str
    hostname: str
    port: int = 22
    user: str = ""
    identities: tuple[Path, ...] = ()
    certificates: tuple[Path, ...] = ()
    agent_socket: str = ""
    identities_only: bool = False
    user_known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    host_key_name: str = ""
    hash_known_hosts: bool = False
    strict: str = "ask"
    connect_timeout_s: float = DEFAULT_CONNECT_TIMEOUT_S
    jumps: tuple[Target, ...] = ()


class KnownLab(NamedTuple):
    """A lab whose hosts are reached without any configuration of the user."""

    name: str
    hosts: Collection[str]
    ssh_config: Path


class Resolver:
    """Resolves names.

    Args:
        lab: Name of the lab whose hosts are known by their plain names; it need not exist.
        find_lab: Finds labs by name; None where there is no such lab.
        ways: What ssh is told instead of a name, for hosts of an inventory.
    """

    def __init__(
        self,
        lab: str,
        find_lab: Callable[[str], KnownLab | None],
        ways: Mapping[str, str] | None = None,
    ) -> None:
        self._lab = lab
        self._find_lab = find_lab
        self._ways = ways or {}
        self._has_ssh = shutil.which("ssh") is not None

    def resolve(self, name: str) -> Target:
        """The target that ``HOST``, ``USER@HOST`` or ``lab:LAB:HOST`` stands for.

        Raises:
            HostUnknown: ssh cannot read its configuration for it, or the lab has no such host.
            UsageError: It is reached by a ProxyCommand, which is not supported.
        """
        found = self._resolve(self._ways.get(name, name), {}, LONGEST_CHAIN)
        return replace(found, name=name, alias=name) if name in self._ways else found

    def _resolve(self, name: str, override: Mapping[str, str], depth: int) -> Target:
        plain, lab = self._find_in_lab(name)
        user, _, alias = plain.rpartition("@")
        said = {**({"user": user} if user else {}), **override}
        options = self._options(alias, lab.ssh_config if lab is not None else None, said)
        options |= {key: [value] for key, value in said.items()}
        jumps: list[Target] = []
        for hop in jump_hosts(options):
            if depth == 0:
                raise HostUnknown(host=name, reason=f"more than {LONGEST_CHAIN} jump hosts")
            given = {key: value for key, value in hop.items() if key != "host"}
            via = self._resolve(hop["host"], given, depth - 1)
            jumps += [via] if jumps else [*via.jumps, via]
        spelled = f"lab:{lab.name}:{plain}" if lab is not None else plain
        return target_of(Names(name, alias, spelled), options, tuple(jumps), os.environ)

    def _find_in_lab(self, name: str) -> tuple[str, KnownLab | None]:
        """The name without its lab, and the lab that has the host."""
        prefix, explicit, rest = name.partition(":")
        lab_name, _, plain = rest.partition(":")
        if not (explicit and prefix == "lab" and plain):
            lab_name, plain, explicit = self._lab, name, ""
        lab = self._find_lab(lab_name)
        if lab is not None and plain.rpartition("@")[2] in lab.hosts:
            return plain, lab
        if explicit:
            raise HostUnknown(host=name, reason=f"no lab {lab_name!r} with that host is up")
        return plain, None

    def _options(
        self, alias: str, config: Path | None, said: Mapping[str, str]
    ) -> dict[str, list[str]]:
        if self._has_ssh:
            return parse_ssh_g(_run_ssh_g(alias, config, said))
        return _read_with_paramiko(alias, config or Path("~/.ssh/config").expanduser())


class Names(NamedTuple):
    """What a target is called: as given, as a node, and so that it is found again."""

    given: str
    alias: str
    spelled: str


def parse_ssh_g(text: str) -> dict[str, list[str]]:
    """The options that ``ssh -G`` printed."""
    options: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        values = value.split() if key in _LISTS else [value]
        options.setdefault(key.lower(), []).extend(values)
    return options


def jump_hosts(options: Options) -> list[dict[str, str]]:
    """The hops of a ``ProxyJump``, nearest first: ``host``, and ``user`` and ``port`` where given.

    Raises:
        UsageError: One of them cannot be read.
    """
    text = _one(options, "proxyjump", "none")
    if text.lower() == "none":
        return []
    hops = []
    for hop in text.split(","):
        match = _JUMP.fullmatch(hop.strip())
        if match is None:
            raise UsageError(text=f"ProxyJump {hop!r} cannot be read")
        parts = {key: value for key, value in match.groupdict().items() if value}
        hops.append({**parts, "host": parts["host"].strip("[]")})
    return hops


def target_of(
    names: Names, options: Options, jumps: tuple[Target, ...], environment: Mapping[str, str]
) -> Target:
    """The target that these options describe.

    Raises:
        UsageError: It is reached by a ProxyCommand.
    """
    if not jumps and _one(options, "proxycommand", "none").lower() != "none":
        raise UsageError(
            text=f"{names.given} is reached by a ProxyCommand, which ssi does not run",
            hint="use ProxyJump in its place",
        )
    hostname = _one(options, "hostname", names.alias)
    user = _one(options, "user", "") or getpass.getuser()
    timeout = _one(options, "connecttimeout", "none")

    def paths(key: str, default: Sequence[str] = ()) -> tuple[Path, ...]:
        values = [
            value for value in options.get(key, default) if value not in {"none", "/dev/null"}
        ]
        return tuple(_expand(value, hostname, user) for value in values)

    return Target(
        name=names.given,
        alias=names.alias,
        spelled=names.spelled,
        hostname=hostname,
        port=int(_one(options, "port", "22")),
        user=user,
        identities=paths("identityfile", _DEFAULT_IDENTITIES),
        certificates=paths("certificatefile"),
        agent_socket=_agent_socket(_one(options, "identityagent", "SSH_AUTH_SOCK"), environment),
        identities_only=_one(options, "identitiesonly", "no") in {"yes", "true"},
        user_known_hosts=paths("userknownhostsfile", _DEFAULT_KNOWN_HOSTS),
        global_known_hosts=paths("globalknownhostsfile", _GLOBAL_KNOWN_HOSTS),
        host_key_name=_one(options, "hostkeyalias", ""),
        hash_known_hosts=_one(options, "hashknownhosts", "no") in {"yes", "true"},
        strict=_one(options, "stricthostkeychecking", "ask"),
        connect_timeout_s=float(timeout) if timeout.isdigit() else DEFAULT_CONNECT_TIMEOUT_S,
        jumps=jumps,
    )


def _one(options: Options, key: str, default: str) -> str:
    values = options.get(key)
    return values[0] if values else default


def _agent_socket(text: str, environment: Mapping[str, str]) -> str:
    if text.lower() == "none":
        return ""
    if text == "SSH_AUTH_SOCK":
        return environment.get("SSH_AUTH_SOCK", "")
    if text.startswith("$"):
        return environment.get(text[1:].strip("{}"), "")
    return str(Path(text).expanduser())


def _expand(text: str, hostname: str, user: str) -> Path:
    """``~`` and those of ssh's tokens that name files of a host. Source: ssh_config(5), TOKENS."""
    tokens = {
        "%h": hostname,
        "%r": user,
        "%u": getpass.getuser(),
        "%d": str(Path.home()),
        "%%": "%",
    }
    return Path(re.sub(r"%[hrud%]", lambda token: tokens[token[0]], text)).expanduser()


def _run_ssh_g(alias: str, config: Path | None, said: Mapping[str, str]) -> str:
    """What ssh would go by, told what was said: ``Match user`` and ``%r`` depend on that."""
    chosen = ["-F", str(config)] if config is not None else []
    chosen += [word for key, value in said.items() for word in ("-o", f"{key}={value}")]
    try:
        done = subprocess.run(
            ["ssh", *chosen, "-G", "--", alias],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=RESOLVE_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as exc:
        raise HostUnknown(host=alias, reason="`ssh -G` hangs") from exc
    if done.returncode != 0:
        complaint = done.stderr.decode(errors="replace").strip().splitlines() or ["ssh -G failed"]
        raise HostUnknown(host=alias, reason=complaint[-1])
    return done.stdout.decode(errors="replace")


def _read_with_paramiko(alias: str, config: Path) -> dict[str, list[str]]:
    if not config.exists():
        return {}
    try:
        found = paramiko.SSHConfig.from_path(str(config)).lookup(alias)
    except paramiko.ConfigParseError as exc:
        raise HostUnknown(host=alias, reason=str(exc)) from exc
    options: dict[str, list[str]] = {}
    for key, value in found.items():
        values = [value] if isinstance(value, str) else list(value)
        options[key] = (
            [word for each in values for word in each.split()] if key in _LISTS else values
        )
    return options
