"""Takes the deployer's orders, one after the other, until it hangs up."""

from __future__ import annotations

import base64
import errno
import json
import os
import socket
import sys
from pathlib import Path
from typing import BinaryIO

from ssi.deploy.onhost import launch, removal
from ssi.deploy.onhost.layout import Layout, layout_of
from ssi.deploy.onhost.lock import hold
from ssi.deploy.onhost.probe import free_bytes, probe
from ssi.deploy.onhost.store import Store
from ssi.deploy.onhost.wire import Failed, Fields, read_frame, tell

DOOR_TIMEOUT_S = 10.0
PRIVATE_UMASK = 0o077


class Orders:
    """Carries out orders on this host.

    Args:
        layout: Where everything lies.
        source: Gives frames.
    """

    def __init__(self, layout: Layout, source: BinaryIO) -> None:
        self._layout = layout
        self._source = source
        self._store = Store(layout.bundles, layout.folder_mode)
        self._needed_bytes = 0

    def carry_out(self, order: Fields) -> Fields:
        """What is to be told of an order that succeeded.

        Raises:
            Failed: It did not.
        """
        step = str(order["do"])
        try:
            match step:
                case "reserve":
                    return self._reserve(order)
                case "put":
                    return self._put(order)
                case "start":
                    return launch.start(
                        self._layout,
                        order["name"],
                        order["agent"],
                        order["faces"],
                        order["limit_s"],
                    )
                case "ask":
                    return self._ask(order)
                case "look":
                    agent = launch.running_agent(self._layout)
                    return {
                        "agent": bool(agent),
                        "shims": launch.shims(self._layout),
                        "there": not self._layout.is_empty,
                    }
                case "remove":
                    return {"left": removal.remove(self._layout)}
                case _:
                    raise Failed("remote-step-failed", step=step, reason="no such order")
        except OSError as exc:
            raise self._translate(step, exc) from exc

    def _reserve(self, order: Fields) -> Fields:
        """The host is ours alone from now on; which layers are missing, and room for them."""
        layout = self._layout
        layout.runtime.mkdir(parents=True, exist_ok=True)
        layout.runtime.chmod(layout.folder_mode)
        hold(layout.lock, order["holder"], order["timeout_s"])
        needed: dict[str, int] = order["needed_bytes"]
        missing = [name for name in needed if not self._store.has(name)]
        self._needed_bytes = sum(needed[name] for name in missing)
        if missing:
            self._require_room()
            layout.state.mkdir(parents=True, exist_ok=True)
            # Other users pass through it to the command's code; what is secret in it is 0600.
            layout.state.chmod(0o711 if layout.is_root else 0o700)
        return {"missing": missing}

    def _require_room(self) -> None:
        free = free_bytes(self._layout.state)
        if free < self._needed_bytes:
            raise self._no_room(free)

    def _put(self, order: Fields) -> Fields:
        archive = read_frame(self._source)
        if archive is None:
            raise Failed("bundle-damaged", reason="the connection ended")
        self._store.put(order["name"], order["sha256"], archive)
        self._store.prune(order["in_use"])
        return {}

    def _ask(self, order: Fields) -> Fields:
        """Passes requests through the door; who asks is who we are, the kernel tells."""
        replies = []
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(DOOR_TIMEOUT_S)
            door.connect(str(self._layout.door))
            with door.makefile("rwb") as stream:
                for text in order["requests"]:
                    request = base64.b64decode(text)
                    stream.write(len(request).to_bytes(4, "big") + request)
                    stream.flush()
                    reply = read_frame(stream)
                    if reply is None:
                        raise Failed("remote-step-failed", step="ask", reason="the agent hung up")
                    replies.append(base64.b64encode(reply).decode())
        return {"replies": replies}

    def _translate(self, step: str, exc: OSError) -> Failed:
        if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
            return self._no_room(free_bytes(self._layout.state))
        reason = f"{exc.strerror or exc}: {exc.filename or ''}".rstrip(": ")
        return Failed("remote-step-failed", step=step, reason=reason)

    def _no_room(self, free: int) -> Failed:
        path = str(self._layout.state)
        return Failed("disk-full", path=path, needed_bytes=self._needed_bytes, free_bytes=free)


def main() -> None:
    """Tells what the host is, then works until the deployer hangs up."""
    os.umask(PRIVATE_UMASK)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    layout = layout_of(os.geteuid(), Path.home())
    tell(sink, "probed", probe(layout))
    orders = Orders(layout, source)
    try:
        while (frame := read_frame(source)) is not None:
            try:
                tell(sink, "done", orders.carry_out(json.loads(frame)))
            except Failed as exc:
                tell(sink, "failed", {"word": exc.word, "fields": exc.fields})
    except (Failed, BrokenPipeError):
        sys.exit(1)  # the deployer is gone; there is nobody to tell
