"""A machine that is no node, from which jobs are started: what nodes call it."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from ssi.model.sha512 import sha512

CLIENTS: Final = "/ssi/c"
"""Where nodes mount the files of such machines, for root alone; jobs get binds of it."""

_MARK: Final = "~"
"""No node has it in its name."""

_DIGITS: Final = 10
_FINGERPRINT_DIGITS: Final = 16
_LONGEST_HOST: Final = 40
_OTHERS: Final = re.compile(r"[^A-Za-z0-9._-]")


def client_name(host: str, machine: str, public_key: str) -> str:
    """The name of a client, ``host~0123456789``; two laptops that are called alike have two.

    Whoever offers files under it must hold that key, so nobody can take the name of another.

    Args:
        host: What it calls itself.
        machine: Its machine id or a hash of it: a key that was copied is not another laptop's.
        public_key: Of its user's client-mode agent.
    """
    digest = sha512(f"{host}\0{machine}\0{public_key}".encode()).hex()[:_DIGITS]
    return f"{_OTHERS.sub('-', host)[:_LONGEST_HOST] or 'client'}{_MARK}{digest}"


def is_client(name: str) -> bool:
    """Whether that is the name of a machine that is no node."""
    return _MARK in name


class ServedRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A node and its jobs.

    Attributes:
        node: Where they run.
        jobs: How many of them see files of this machine.
        problem: Why the node is not heard; empty where it is.
    """

    node: str
    jobs: int
    problem: str = ""


def fingerprint(public_key: str) -> str:
    """What a client's key is called in words and tables: 16 digits, of which a few are enough."""
    return sha512(public_key.encode()).hex()[:_FINGERPRINT_DIGITS]
