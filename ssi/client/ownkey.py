"""The key by which the nodes know this user on this machine."""

from __future__ import annotations

from ssi.client import paths
from ssi.transport.keys import load_or_make_key


def own_public_key() -> str:
    """This user's public key; empty where there is none: on a node, or before the first ``ssi up``.

    Raises:
        KeyUnusable: Others could have read it.
    """
    path = paths.client_key()
    return load_or_make_key(path).public if path.exists() else ""
