"""A CURVE key pair in a file that only its owner can read."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import zmq

from ssi.model.errors import SsiError
from ssi.model.node import is_public_key


@dataclass(eq=False, kw_only=True)
class KeyUnusable(SsiError):
    """A secret key file that must not be used."""

    word = "key-unusable"
    exit_code = 5
    path: str
    reason: str

    def what(self) -> str:
        return f"the secret key {self.path} is not used: {self.reason}"

    def advice(self) -> str:
        return f"make it private (chmod 600 {self.path}), or remove it and run `ssi up` again"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A CURVE pair, each Z85 in 40 characters. Its repr never shows the secret."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r})"


def load_or_make_key(path: Path) -> KeyPair:
    """The pair kept at ``path``; made there first, mode 0600 whatever the umask, if there is none.

    Raises:
        KeyUnusable: Others can read it, somebody else owns it, it is no key, or none can be made.
    """
    try:
        return _load(path) if os.path.lexists(path) else _make(path)
    except OSError as exc:
        raise KeyUnusable(path=str(path), reason=exc.strerror or str(exc)) from exc


def load_key(path: Path) -> KeyPair:
    """The pair kept at ``path``.

    Raises:
        KeyUnusable: As :func:`load_or_make_key`, and where there is none.
    """
    try:
        return _load(path)
    except OSError as exc:
        raise KeyUnusable(path=str(path), reason=exc.strerror or str(exc)) from exc


def _make(path: Path) -> KeyPair:
    public, secret = zmq.curve_keypair()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(public + b"\n" + secret + b"\n")
            file.flush()
            os.fsync(descriptor)
    except OSError:
        path.unlink()  # half a key would be refused for ever
        raise
    return KeyPair(public=public.decode(), secret=secret.decode())


def _load(path: Path) -> KeyPair:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        lines = file.read(200).split()
    if status.st_uid != os.geteuid():
        raise KeyUnusable(path=str(path), reason=f"uid {status.st_uid} owns it")
    if stat.S_IMODE(status.st_mode) & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise KeyUnusable(path=str(path), reason=f"its mode {mode:04o} lets others read it")
    if len(lines) != 2 or any(len(line) != 40 for line in lines):
        raise KeyUnusable(path=str(path), reason="it holds no key pair")
    public, secret = lines
    if not is_public_key(secret.decode("ascii", "replace")):  # both are Z85 of 32 bytes
        raise KeyUnusable(path=str(path), reason="it holds no key pair")
    if zmq.curve_public(secret) != public:
        raise KeyUnusable(path=str(path), reason="its two halves do not belong together")
    return KeyPair(public=public.decode(), secret=secret.decode())
