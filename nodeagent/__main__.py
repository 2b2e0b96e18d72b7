"""``python3 -m nodeagent``: runs an agent, on a node or in client mode."""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import logging.handlers
import os
import resource
import signal
import sys
from pathlib import Path

from nodeagent.mechanism.daemon import hold_lock, take_title
from nodeagent.mechanism.journal import journal_handlers
from nodeagent.mechanism.pidfile import write_pidfile
from nodeagent.places import PRIVATE_MODE, Places

# Saves 4 MB and 25 ms (measured): asyncio, which is therefore imported later, would import ssl,
# which an agent never uses.
sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]

_log = logging.getLogger("nodeagent")

MAX_DESCRIPTORS = 65_536

BLOCKING_THREADS = 6
"""For what blocks: reading files, walking /proc. asyncio would take as many as there are cores, and
four more, each with its memory."""

LOG_BYTES = 4 * 1024 * 1024
"""Size at which agent.log is put aside as agent.log.1."""


def main() -> int:
    """Runs until SIGTERM or SIGINT; 0 then, 1 where it cannot start, 75 if another one runs."""
    options = _options()
    places = Places.of_this_user()
    os.umask(0o077)
    _allow_descriptors()
    _make_directories(places, is_client=options.client)
    _start_logging(places)
    if hold_lock(places.runtime / "agent.lock") is None:
        print("another agent runs here already", file=sys.stderr)
        return os.EX_TEMPFAIL
    write_pidfile(places.agent_pid, os.getpid())
    if not options.client:
        take_title("ssi-agent", options.name)
    return _run(options, places)


def _run(options: argparse.Namespace, places: Places) -> int:
    import asyncio

    from nodeagent.agent import Agent, Settings
    from ssi.model.errors import SsiError

    settings = Settings(
        node="" if options.client else options.name,
        address=options.address,
        control_port=options.control_port,
        bulk_port=options.bulk_port,
        places=places,
        key_path=options.key or places.secret_key,
        roster_path=options.roster or places.roster,
    )
    gc.freeze()
    status = 0
    try:
        asyncio.run(_until_signal(Agent(settings)))
    except* SsiError as group:
        status = 1
        for error in group.exceptions:
            _log.error("event=cannot-run reason=%s", error)
            print(f"nodeagent: {error}", file=sys.stderr)
    finally:
        places.ready.unlink(missing_ok=True)
    return status


async def _until_signal(agent: object) -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from nodeagent.agent import Agent

    assert isinstance(agent, Agent)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(BLOCKING_THREADS, thread_name_prefix="blocking"))
    running = asyncio.ensure_future(agent.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nodeagent")
    parser.add_argument("--client", action="store_true", help="serve this user; be no node")
    parser.add_argument("--name", default="", help="name of this node")
    parser.add_argument("--address", default="*", help="address to listen on")
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--bulk-port", type=int, default=0)
    parser.add_argument("--key", type=Path, help="file of the secret key")
    parser.add_argument("--roster", type=Path, help="file of the roster")
    options = parser.parse_args()
    if not options.client and not options.name:
        parser.error("a node needs --name")
    return options


def _make_directories(places: Places, *, is_client: bool) -> None:
    places.state.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
    places.runtime.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
    if os.geteuid() == 0 and not is_client:
        places.runtime.chmod(0o755)  # the door is in it
    for directory in (places.jobs, places.job_sockets, places.images):
        if not is_client:
            directory.mkdir(mode=PRIVATE_MODE, exist_ok=True)


def _allow_descriptors() -> None:
    """As many as the machine lets us: each link to a node takes four."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, MAX_DESCRIPTORS), most))


def _start_logging(places: Places) -> None:
    handler = logging.handlers.RotatingFileHandler(
        places.agent_log, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8"
    )
    logging.basicConfig(
        handlers=[handler, *journal_handlers("ssi-agent")],
        level=os.environ.get("SSI_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.captureWarnings(capture=True)


if __name__ == "__main__":
    sys.exit(main())
