"""``python3 -m nodeagent.filesystem.server``: the file server of a machine that is no node.

Its client-mode agent starts it, and orders come on descriptor 0. That of a node is a fork of the
warden.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

from nodeagent.filesystem.server.dialling import run_dialling_server
from nodeagent.mechanism.daemon import open_log


def main() -> int:
    """Serves until descriptor 0 is closed at its other end."""
    parser = argparse.ArgumentParser(prog="nodeagent.filesystem.server")
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--roster", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--own", type=Path, action="append", default=[])
    options = parser.parse_args()
    with socket.socket(fileno=os.dup(0)) as orders:
        open_log(options.log, "ssi-files")
        run_dialling_server(orders, options.key, options.roster, options.own)
    return 0


if __name__ == "__main__":
    sys.exit(main())
