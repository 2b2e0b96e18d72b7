"""Proves to a host who we are, with the keys that ssh would offer, in its order."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.agent import AgentSSH
from paramiko.pkey import UnknownKeyType

from ssi.deploy.target import Target
from ssi.deploy.unreached import LoginRefused

AGENT_TIMEOUT_S = 10.0
"""A key agent may ask its user for a confirmation."""

_UNREADABLE = (paramiko.SSHException, UnknownKeyType, UnsupportedAlgorithm, ValueError, TypeError)


@dataclass(frozen=True, slots=True)
class Offer:
    """A key to try, and what to call it when it is refused."""

    key: paramiko.PKey
    label: str


class _KeyAgent(AgentSSH):
    """The agent at a socket of our choice; paramiko's own knows only ``SSH_AUTH_SOCK``."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connect(connection)  # type: ignore[attr-defined] # left out of the stubs

    def hang_up(self) -> None:
        """Closes the connection to the agent."""
        self._close()  # type: ignore[attr-defined] # left out of the stubs


def log_in(transport: paramiko.Transport, target: Target) -> None:
    """Authenticates the connection by public key.

    Raises:
        LoginRefused: The host takes none of our keys.
        paramiko.SSHException: The connection broke.
    """
    tried: list[str] = []
    agent = _open_agent(target.agent_socket)
    try:
        for offer in _offers(target, agent, tried):
            tried.append(offer.label)
            try:
                left = transport.auth_publickey(target.user, offer.key)
            except paramiko.AuthenticationException:
                if not transport.is_active():
                    break  # too many keys: the server hung up
                continue
            if not left:
                return
            tried[-1] += f" (accepted, but the host also wants {', '.join(left)})"
        raise LoginRefused(host=target.name, user=target.user, offered=tried)
    finally:
        if agent is not None:
            agent.hang_up()


def _offers(target: Target, agent: _KeyAgent | None, notes: list[str]) -> Iterator[Offer]:
    """Keys of the agent that an identity file names, its others, then key files."""
    named = [blob for path in target.identities if (blob := _public_blob(path)) is not None]
    in_agent = list(agent.get_keys()) if agent is not None else []
    wanted = [key for blob in named for key in in_agent if key.blob == blob]
    others = [] if target.identities_only else [key for key in in_agent if key not in wanted]
    for key in (*wanted, *others):
        yield Offer(key, f"agent:{key.comment or key.name}")
    seen = {key.blob for key in in_agent}
    for path in target.identities:
        if _public_blob(path) not in seen:
            yield from _offers_of_file(path, target.certificates, notes)


def _offers_of_file(
    path: Path, certificates: tuple[Path, ...], notes: list[str]
) -> Iterator[Offer]:
    for certificate in certificates:
        try:
            key = paramiko.PKey.from_path(path)
            key.load_certificate(str(certificate))
        except (OSError, *_UNREADABLE):
            continue  # it belongs to another key; the plain one follows
        yield Offer(key, f"{path} with {certificate.name}")
    try:
        key = paramiko.PKey.from_path(path)
    except FileNotFoundError:
        return
    except OSError as exc:
        notes.append(f"{path} ({exc.strerror})")
    except _UNREADABLE:
        notes.append(f"{path} (not readable without its passphrase: ssh-add it)")
    else:
        yield Offer(key, str(path))


def _public_blob(path: Path) -> bytes | None:
    try:
        words = path.with_name(f"{path.name}.pub").read_text().split()
        return paramiko.pkey.PublicBlob.from_string(" ".join(words)).key_blob
    except (OSError, ValueError, IndexError, UnicodeDecodeError):
        return None


def _open_agent(path: str) -> _KeyAgent | None:
    """The key agent; None where there is none, or it does not answer: key files remain."""
    if not path or not os.path.exists(path):  # noqa: PTH110 - may be no path at all
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(AGENT_TIMEOUT_S)
    try:
        connection.connect(path)
        return _KeyAgent(connection)
    except (OSError, paramiko.SSHException):
        connection.close()
        return None
