"""The order in which a shim's socket answers, over a real one."""

from __future__ import annotations

import socket
from pathlib import Path

from nodeagent.mechanism.loop import Loop
from nodeagent.shim import messages as m
from nodeagent.shim.frames import FrameSplitter, decode_reply, encode_frame
from nodeagent.shim.server import Answer, Server, listen
from nodeagent.shim.streammessages import (
    Read,
)

LIMIT_S = 60.0
READS, TYPES = 1, 2


def answered(
    loop: Loop, path: Path, numbers: list[int], *, echoes: bool, behind_s: float
) -> list[int]:
    """In which order two requests are answered: one who reads, and one who types.

    Args:
        loop: Runs until all are answered.
        path: Of the socket.
        numbers: Those that are sent.
        echoes: Whether what is typed is there to be read soon after.
        behind_s: How long the word that it was taken may wait.
    """
    written: list[bool] = []

    def handle(request: m.RequestMessage, answer: Answer) -> None:
        if isinstance(request, Read):
            server.long_poll(answer, 50_000, lambda expired: m.Ok() if written else None)
            return
        if echoes:
            loop.call_after(0.001, lambda: written.append(True))
        server.long_poll(answer, 1000, lambda expired: m.Ok(), behind_s)

    server = Server(loop, listen(path), handle)
    requests: dict[int, m.RequestMessage] = {
        READS: Read(stream="stdout", offset=0, limit_bytes=1, wait_ms=50_000),
        TYPES: m.GetStatus(),
    }
    found: list[int] = []
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        for number in numbers:
            peer.sendall(encode_frame(m.RequestFrame(number, requests[number])))
        wanted = len(numbers) if echoes or READS not in numbers else 1
        splitter = FrameSplitter()

        def take() -> None:
            found.extend(decode_reply(each).number for each in splitter.feed(peer.recv(4096)))
            if len(found) >= wanted:
                loop.stop()

        loop.watch(peer.fileno(), readable=take)
        loop.call_after(LIMIT_S, loop.stop)
        loop.run()
        loop.watch(peer.fileno())
    loop.call_after(0.0, loop.stop)
    loop.run()  # it sees that the peer is gone
    server.close()
    return found


def test_what_keys_echo_goes_before_the_word_that_they_were_taken(
    loop: Loop, tmp_path: Path
) -> None:
    order = answered(loop, tmp_path / "sock", [READS, TYPES], echoes=True, behind_s=30.0)
    assert order == [READS, TYPES]


def test_keys_without_an_echo_are_answered_after_their_while(loop: Loop, tmp_path: Path) -> None:
    order = answered(loop, tmp_path / "sock", [READS, TYPES], echoes=False, behind_s=0.01)
    assert order == [TYPES]


def test_where_nobody_reads_keys_are_answered_at_once(loop: Loop, tmp_path: Path) -> None:
    order = answered(loop, tmp_path / "sock", [TYPES], echoes=False, behind_s=2 * LIMIT_S)
    assert order == [TYPES]
