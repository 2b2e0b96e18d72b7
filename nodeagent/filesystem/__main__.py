"""``python3 -m nodeagent.filesystem``: the warden of this node's mounts and of its file server."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from nodeagent.filesystem.warden import Settings, Warden
from nodeagent.mechanism.daemon import hold_lock, open_log, take_title
from nodeagent.mechanism.pidfile import write_pidfile
from nodeagent.places import Places
from ssi.model.client import CLIENTS

ROOT_BASE = Path("/ssi/n")
ROOT_EXPORTS = Path("/etc/ssi/exports")


def main() -> int:
    """Runs until the node is taken down; 0 also where another one runs already."""
    parser = argparse.ArgumentParser(prog="nodeagent.filesystem")
    parser.add_argument("--name", required=True)
    parser.add_argument("--address", default="*")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    places = Places.of_this_user()
    os.umask(0o077)
    if hold_lock(places.runtime / "files.lock") is None:
        return 0
    open_log(places.files_log, "ssi-files")
    take_title("ssi-warden", options.name)
    write_pidfile(places.files_pid, os.getpid())
    is_root = os.geteuid() == 0
    settings = Settings(
        node=options.name,
        address=options.address,
        port=options.port,
        base=ROOT_BASE if is_root else places.runtime / "n",
        clients=Path(CLIENTS) if is_root else places.runtime / "c",
        exports=ROOT_EXPORTS if is_root else Path.home() / ".config/ssi/exports",
        places=places,
    )
    try:
        Warden(settings).run()
    finally:
        places.files_pid.unlink(missing_ok=True)
        places.files_socket.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
