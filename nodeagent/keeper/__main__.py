"""``python3 -m nodeagent.keeper [OPTIONS OF THE AGENT]``."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

from nodeagent.keeper.forge import Forge
from nodeagent.keeper.supervisor import Supervisor
from nodeagent.mechanism import libc, machinecode
from nodeagent.mechanism.daemon import hold_lock, open_log
from nodeagent.mechanism.loop import Loop
from nodeagent.mechanism.pidfile import write_pidfile
from nodeagent.places import PRIVATE_MODE, Places
from nodeagent.shim.keepermessages import KEEPER_NAME
from nodeagent.shim.server import Server, listen

DOWN_CHECK_S: Final = 0.5
"""How often the keeper looks whether the node was taken down."""

_log: Final = logging.getLogger("nodeagent.keeper")


def main(options: Sequence[str]) -> int:
    """Runs until the node is taken down or SIGTERM comes; 0 also where a keeper runs already."""
    places = Places.of_this_user()
    _prepare(places)
    if hold_lock(places.runtime / "keeper.lock") is None:
        return 0
    open_log(places.keeper_log, KEEPER_NAME)
    libc.set_process_name(KEEPER_NAME)
    libc.become_subreaper()  # an init that does not reap, as in many containers, has no shims to
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    write_pidfile(places.keeper_pid, os.getpid())
    loop = Loop()
    forge = Forge(loop)
    server = Server(loop, listen(places.keeper_socket), forge.handle)
    supervisor = Supervisor(loop, places, options)

    def end() -> None:
        server.close()
        forge.close()
        supervisor.stop(loop.stop)

    def check_down() -> None:
        if places.down.exists():
            end()
        else:
            loop.call_after(DOWN_CHECK_S, check_down)

    loop.on_signal(signal.SIGTERM, end)
    loop.on_signal(signal.SIGINT, end)
    # What was imported so far is never collected, so a collection in a shim copies no page of it.
    gc.collect()
    gc.freeze()
    supervisor.begin()
    check_down()
    _log.info("event=keeper-started pid=%d", os.getpid())
    if machinecode.why_not:
        _log.warning("event=jobs-start-by-fork reason=%s", machinecode.why_not)
    loop.run()
    places.keeper_socket.unlink(missing_ok=True)
    places.keeper_pid.unlink(missing_ok=True)
    _log.info("event=keeper-ended")
    return 0


def _prepare(places: Places) -> None:
    """The directories exist, with their modes whatever the umask."""
    for path, mode in (
        (places.runtime, 0o755 if os.geteuid() == 0 else PRIVATE_MODE),
        (places.state, PRIVATE_MODE),
    ):
        if not path.is_dir():
            path.mkdir(parents=True)
            path.chmod(mode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
