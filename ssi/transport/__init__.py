"""How bytes get from one agent to another and through the door: I/O that decides nothing.

:mod:`keys` makes and guards a node's CURVE pair, :mod:`gate` says whose key may connect,
:mod:`pump` drives one ZeroMQ socket from the event loop, :mod:`listener` and :mod:`link` are the
two ends between agents, :mod:`frames` is the framing of Unix sockets and :mod:`door` the socket of
an agent for the people on its machine. Source: ADR 0002.
"""
