"""Which host keys are known: the files of OpenSSH, read as OpenSSH reads them.

paramiko's own reader gives up a whole file over one ``@revoked`` or ``@cert-authority`` line and
knows no wildcards (measured with 5.1), so this one reads lines by itself. Everything here is a
function of texts. Source: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

DEFAULT_PORT = 22


class Standing(StrEnum):
    """How a shown key stands to those on file."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """A public host key: its algorithm, for instance ``ssh-ed25519``, and its blob."""

    algorithm: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` shows it."""
        return fingerprint(self.blob)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a known_hosts file that holds a key.

    Attributes:
        marker: ``@revoked`` or ``@cert-authority``; empty for an ordinary line.
        patterns: The first field, split at commas.
        where: File and line number, for people.
    """

    marker: str
    patterns: tuple[str, ...]
    key: HostKey
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the files say of a shown key.

    Attributes:
        line: The line that decided; None where nothing is known.
    """

    standing: Standing
    line: Line | None = None


def fingerprint(blob: bytes) -> str:
    """SHA256 of a key, base64 without padding."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def name_on_file(host: str, port: int) -> str:
    """What a host is called in a file: its name, or ``[name]:port`` where the port is not 22."""
    host = host.lower()
    return host if port == DEFAULT_PORT else f"[{host}]:{port}"


def parse(text: str, source: str) -> Iterator[Line]:
    """The keys in a file. Lines that cannot be read are passed over, as ssh does."""
    for number, raw in enumerate(text.splitlines(), start=1):
        words = raw.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#"):
            continue
        try:
            blob = base64.b64decode(words[2], validate=True)
        except (binascii.Error, ValueError):
            continue
        yield Line(
            marker=marker,
            patterns=tuple(words[0].split(",")),
            key=HostKey(algorithm=words[1], blob=blob),
            where=f"{source}:{number}",
        )


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether a line's patterns name the host: a negated match outweighs all others."""
    found = False
    for pattern in patterns:
        if pattern.startswith("|1|"):
            found = found or _matches_hash(pattern, name)
        elif pattern.startswith("!"):
            if _matches_glob(pattern[1:], name):
                return False
        else:
            found = found or _matches_glob(pattern, name)
    return found


def judge(lines: Iterable[Line], name: str, shown: HostKey) -> Verdict:
    """What the lines say of the key that a host shows.

    A revoked key is refused wherever the line stands. A host of which other keys are known, none
    of them this one, is *changed*, also where they are of other algorithms: who connects asks for
    the known algorithms first, so an honest host shows one of them.
    """
    known: Line | None = None
    other: Line | None = None
    for line in lines:
        if not matches(line.patterns, name):
            continue
        same = hmac.compare_digest(line.key.blob, shown.blob)
        if line.marker == "@revoked":
            if same:
                return Verdict(standing=Standing.REVOKED, line=line)
        elif line.marker == "":
            known = known or (line if same else None)
            other = other or (None if same else line)
    if known is not None:
        return Verdict(standing=Standing.KNOWN, line=known)
    if other is not None:
        return Verdict(standing=Standing.CHANGED, line=other)
    return Verdict(standing=Standing.UNKNOWN)


def known_algorithms(lines: Iterable[Line], name: str) -> tuple[str, ...]:
    """Of which algorithms a key of that host is on file, in the file's order."""
    found = [
        line.key.algorithm for line in lines if not line.marker and matches(line.patterns, name)
    ]
    return tuple(dict.fromkeys(found))


def format_line(name: str, key: HostKey, *, hashed: bool) -> str:
    """The line that makes a key known, with its newline."""
    shown = _hash_name(name, secrets.token_bytes(20)) if hashed else name
    return f"{shown} {key.algorithm} {base64.b64encode(key.blob).decode()}\n"


def _hash_name(name: str, salt: bytes) -> str:
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _matches_hash(pattern: str, name: str) -> bool:
    try:
        salt = base64.b64decode(pattern.split("|")[2])
    except (IndexError, binascii.Error):
        return False
    return hmac.compare_digest(_hash_name(name, salt).encode(), pattern.encode())


def _matches_glob(pattern: str, name: str) -> bool:
    # ssh's patterns know * and ? only; a bracket is itself, as in [host]:port.
    literal = pattern.lower().replace("[", "[[]")
    return fnmatch.fnmatchcase(name, literal)
