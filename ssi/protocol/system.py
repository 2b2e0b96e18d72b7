"""What is asked of the system as a whole: its nodes, its events, its processes."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from ssi.model.examination import NodeFacts
from ssi.model.job import JobRow, Whereabouts
from ssi.model.node import MeshEvent, NodeRow, Roster
from ssi.model.process import ProcessRow
from ssi.protocol.message import ReplyMessage, RequestMessage


class GetRoster(RequestMessage, frozen=True, tag="get-roster"):
    """Asks for the whole roster: :class:`RosterReply`."""


class RosterReply(ReplyMessage, frozen=True, tag="roster"):
    """The roster; None where the agent has not been given one yet."""

    roster: Roster | None


class InstallRoster(RequestMessage, frozen=True, tag="install-roster"):
    """Gives an agent a newer roster; root only. Answered by :class:`Done`."""

    mutating: ClassVar[bool] = True
    roster: Roster


class AllowClient(RequestMessage, frozen=True, tag="allow-client"):
    """Lets a client-mode agent connect, as the user who asks. Answered by :class:`Done`.

    Attributes:
        public_key: Of the agent.
        name: Of its user and machine, as ``ada@laptop``; only shown.
    """

    mutating: ClassVar[bool] = True
    public_key: str
    name: str = ""


class ListClients(RequestMessage, frozen=True, tag="list-clients"):
    """Asks a node whose keys it lets in, the asker's own or, for root, all: :class:`ClientList`."""


class ClientRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A key that a node lets in, the user whose word it has, and the machine that brought it."""

    public_key: str
    user: str
    name: str = ""


class ClientList(ReplyMessage, frozen=True, tag="clients"):
    """The keys that a node lets in."""

    rows: tuple[ClientRow, ...]


class RevokeClient(RequestMessage, frozen=True, tag="revoke-client"):
    """Lets a client's key in no more, on no node; the asker's own, or for root any: :class:`Done`.

    Attributes:
        public_key: The key.
        name: Of the machine that brought it, for those who are told.
    """

    mutating: ClassVar[bool] = True
    public_key: str
    name: str = ""


class ListNodes(RequestMessage, frozen=True, tag="list-nodes"):
    """Asks the agent at the door how it sees the nodes: :class:`NodeList`."""


class NodeList(ReplyMessage, frozen=True, tag="nodes"):
    """The nodes as ``observer`` sees them; empty observer for a client-mode agent.

    Attributes:
        client: What nodes call the machine of a client-mode agent; empty for a node.
    """

    observer: str
    rows: tuple[NodeRow, ...]
    client: str = ""


class ListEvents(RequestMessage, frozen=True, tag="list-events"):
    """Asks an agent what happened in the mesh: :class:`EventList`.

    Attributes:
        since: Only events with a higher stamp.
    """

    since: int = 0


class EventList(ReplyMessage, frozen=True, tag="events"):
    """The newest events that an agent knows of, in the one order of the whole mesh."""

    rows: tuple[MeshEvent, ...]


class ListProcesses(RequestMessage, frozen=True, tag="list-processes"):
    """Asks a node for its processes: :class:`ProcessList`.

    Attributes:
        gpids: Only these; empty for all.
        jobs: Only processes of jobs.
        threads: Also their threads, each after its process and without its arguments.
    """

    gpids: tuple[int, ...] = ()
    jobs: bool = False
    threads: bool = False


class ProcessList(ReplyMessage, frozen=True, tag="processes"):
    """The processes of one node at one time (its wall clock, seconds).

    Attributes:
        whereabouts: Of the jobs that it has, and of those that left or ended lately.
    """

    node: str
    taken_at_s: float
    rows: tuple[ProcessRow, ...]
    whereabouts: tuple[Whereabouts, ...] = ()


class ListJobs(RequestMessage, frozen=True, tag="list-jobs"):
    """Asks a node for the jobs that it has, also ended ones that it remembers: :class:`JobList`.

    Attributes:
        gpids: Only these, where any are given: it need not look at all processes of the node then.
    """

    gpids: tuple[int, ...] = ()


class JobList(ReplyMessage, frozen=True, tag="jobs"):
    """Jobs of one node, oldest first.

    Attributes:
        whereabouts: As those of :class:`ProcessList`.
    """

    node: str
    rows: tuple[JobRow, ...]
    whereabouts: tuple[Whereabouts, ...] = ()


class Locate(RequestMessage, frozen=True, tag="locate"):
    """Asks a node whether it has the process of that gpid: :class:`Located`."""

    gpid: int


class Located(ReplyMessage, frozen=True, tag="located"):
    """Whether it is here.

    Attributes:
        start_ms: Identity of the process beside its gpid, where it is here.
        job: First gpid of its job; 0 for a process of the host.
        moving: It is not here; a job is on its way from here, or was lately, and may have it.
    """

    here: bool
    start_ms: int = 0
    job: int = 0
    moving: bool = False


class CordonNode(RequestMessage, frozen=True, tag="cordon-node"):
    """Lets placement pass this node over, or take it again; root only: :class:`Done`."""

    mutating: ClassVar[bool] = True
    cordoned: bool


class Examine(RequestMessage, frozen=True, tag="examine"):
    """Asks a node what it is like: :class:`Examined`."""


class Examined(ReplyMessage, frozen=True, tag="examined"):
    """What a node found on itself."""

    node: str
    facts: NodeFacts
