"""Which files a shim shows to its job, as an agent tells it."""

from __future__ import annotations

from nodeagent.shim.message import Message


class FileMount(Message, frozen=True):
    """A file or directory that a job is to see at another path than the node has it.

    Attributes:
        root: Directory that links within ``path`` cannot leave: ``/ssi/n/NODE``, or ``/``.
        path: Within it, absolute; looked up as the job's user.
        target: Where the job is to see it.
        label: What a user calls it.
    """

    root: str
    path: str
    target: str
    label: str


class KnownFile(Message, frozen=True):
    """A file or directory that a job had open, as it was where it comes from.

    Attributes:
        mode: Permission bits.
        writable: The job writes to it.
    """

    path: str
    user: str
    mode: int
    is_folder: bool
    writable: bool


class Files(Message, frozen=True):
    """What a job sees that the node does not have at the same path.

    Attributes:
        mounts: In the order in which they are to be made.
        root: Of its processes; empty: that of the node.
        node: Name of this node, for refusals.
        known: What must be as it was.
    """

    mounts: tuple[FileMount, ...] = ()
    root: str = ""
    node: str = ""
    known: tuple[KnownFile, ...] = ()
