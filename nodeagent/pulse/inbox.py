"""Which of many ZeroMQ sockets have something, at the cost of those alone.

zmq_poll(3) looks at each of its sockets before it sleeps and after: with 150 of them 0.4 ms of
processor time at each datagram, which was most of what an agent took in a mesh of that size. Here
the kernel is asked, by the descriptor that each socket has for that.
"""

from __future__ import annotations

import select
from typing import Final

import zmq

_EVENTS: Final = int(zmq.EVENTS)
_INPUT: Final = int(zmq.POLLIN)
"""As numbers: to combine ZeroMQ's enumerations takes longer than to ask a socket."""


class Inbox:
    """Owned by one thread.

    A socket's descriptor tells that the socket has something to look after, not that a message is
    there, and what was looked after tells no more. So a socket that :meth:`wait` returns is to be
    read until it has nothing; and who sent on one, or stops reading before that, says so by
    :meth:`touched`, for that may have looked after something, too. Source: zmq_getsockopt(3),
    ZMQ_FD, ZMQ_EVENTS.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, zmq.Socket[bytes]] = {}
        self._descriptors: dict[zmq.Socket[bytes], int] = {}
        self._filled: set[zmq.Socket[bytes]] = set()

    def watch(self, descriptor: int) -> None:
        """Waiting ends when it can be read, whatever it is."""
        self._epoll.register(descriptor, select.EPOLLIN)

    def add(self, socket: zmq.Socket[bytes]) -> None:
        """From now on it is among those that are waited for."""
        descriptor = int(socket.getsockopt(zmq.FD))
        self._sockets[descriptor] = socket
        self._descriptors[socket] = descriptor
        self._epoll.register(descriptor, select.EPOLLIN)
        self.touched(socket)

    def remove(self, socket: zmq.Socket[bytes]) -> None:
        """No more; before it is closed."""
        descriptor = self._descriptors.pop(socket)
        self._epoll.unregister(descriptor)
        del self._sockets[descriptor]
        self._filled.discard(socket)

    def touched(self, socket: zmq.Socket[bytes]) -> None:
        """Something was sent on it, or it was not read to its end."""
        if int(socket.getsockopt(_EVENTS)) & _INPUT:
            self._filled.add(socket)

    def wait(self, timeout_s: float) -> list[zmq.Socket[bytes]]:
        """Those that have messages; none if nothing came in so long, or something else."""
        for descriptor, _ in self._epoll.poll(0.0 if self._filled else timeout_s):
            socket = self._sockets.get(descriptor)
            if socket is not None:
                self.touched(socket)
        filled, self._filled = self._filled, set()
        return list(filled)

    def close(self) -> None:
        """Waits no more. The sockets are their owner's."""
        self._epoll.close()
