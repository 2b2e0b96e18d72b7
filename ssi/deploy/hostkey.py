"""Decides with the user whether a host's key is trusted, before anything is sent to it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ssi.deploy import known_hosts
from ssi.deploy.known_hosts import HostKey, Line, Standing
from ssi.deploy.target import Target
from ssi.deploy.unreached import HostKeyChanged, HostKeyRevoked, HostKeyUnknown

Question = Callable[[str], bool]
"""Asks a person; True is yes."""


@dataclass(slots=True)
class Trust:
    """How keys that nobody has seen are dealt with in this run.

    Attributes:
        accept_new: Take them without asking; the user said so.
        ask: Asks the user; None where there is no terminal.
    """

    accept_new: bool = False
    ask: Question | None = None
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def check(self, target: Target, shown: HostKey) -> None:
        """Holds when the key may be trusted; a new one that is accepted is kept from now on.

        Raises:
            HostKeyUnknown: It is new, and was not accepted.
            HostKeyChanged: Another key is on file.
            HostKeyRevoked: It is on file as revoked.
        """
        if self._is_known(target, shown):
            return
        with self._one_at_a_time:  # two hosts must not ask at once; two names may be one host
            if self._is_known(target, shown):
                return
            if not self._accepts(target, shown):
                raise HostKeyUnknown(
                    host=target.name, algorithm=shown.algorithm, fingerprint=shown.fingerprint
                )
            _append(target, shown)

    def _is_known(self, target: Target, shown: HostKey) -> bool:
        verdict = known_hosts.judge(lines_of(target), name_of(target), shown)
        line = verdict.line
        if verdict.standing is Standing.REVOKED:
            assert line is not None
            raise HostKeyRevoked(host=target.name, fingerprint=shown.fingerprint, where=line.where)
        if verdict.standing is Standing.CHANGED:
            assert line is not None
            raise HostKeyChanged(
                host=target.name,
                algorithm=shown.algorithm,
                expected=f"{line.key.algorithm} {line.key.fingerprint}",
                shown=shown.fingerprint,
                where=line.where,
            )
        return verdict.standing is Standing.KNOWN

    def _accepts(self, target: Target, shown: HostKey) -> bool:
        if self.accept_new or target.strict == "accept-new":
            return True
        if self.ask is None or target.strict in {"yes", "true"}:
            return False
        return self.ask(
            f"{target.name} ({target.hostname}) is not known yet. "
            f"Its {shown.algorithm} key is {shown.fingerprint}. Trust it?"
        )


def name_of(target: Target) -> str:
    """The name under which a target's key is kept."""
    if target.host_key_name:
        return target.host_key_name.lower()
    return known_hosts.name_on_file(target.hostname, target.port)


def lines_of(target: Target) -> list[Line]:
    """Every key on file, of the user's files first. A file that is not there holds none."""
    lines: list[Line] = []
    for path in (*target.user_known_hosts, *target.global_known_hosts):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        lines += known_hosts.parse(text, str(path))
    return lines


def preferred_algorithms(target: Target, offered: Sequence[str]) -> list[str]:
    """The key algorithms to ask a host for, those of its known keys first.

    Without this order a host with several keys could show one that is not on file, and would look
    changed.
    """
    known = known_hosts.known_algorithms(lines_of(target), name_of(target))
    signatures = {
        name
        for key in known
        for name in (("rsa-sha2-512", "rsa-sha2-256") if key == "ssh-rsa" else (key,))
    }
    return sorted(offered, key=lambda name: name not in signatures)


def _append(target: Target, key: HostKey) -> None:
    """Keeps the key in the user's first file, 0600 where the file is new."""
    path = (*target.user_known_hosts, Path.home() / ".ssh/known_hosts")[0]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = known_hosts.format_line(name_of(target), key, hashed=target.hash_known_hosts)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size > 0:
            file.seek(size - 1)
            if file.read(1) != b"\n":  # a last line without its end would swallow ours
                line = f"\n{line}"
        file.write(line.encode())
