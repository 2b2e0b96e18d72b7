"""Everything that can be asked of an agent, and the answers: one closed union each.

A request's class names what to do, in the imperative; its docstring names the reply. Classes with
``bulk = True`` travel on the bulk socket, those with ``mutating = True`` are done at most once per
request id. New fields have defaults, so that an older peer's message still decodes.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec

from ssi.model.examination import NodeFacts
from ssi.model.job import JobRow, JobSpec, StreamName, Terminal
from ssi.model.node import MeshEvent, NodeRow, Roster
from ssi.model.process import ProcessRow


class RequestMessage(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What all requests share: on which socket they travel and whether they change anything."""

    bulk: ClassVar[bool] = False
    mutating: ClassVar[bool] = False


class ReplyMessage(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What all replies share."""


# The mesh


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
    """Lets a client-mode agent connect, as the user who asks. Answered by :class:`Done`."""

    mutating: ClassVar[bool] = True
    public_key: str


class Done(ReplyMessage, frozen=True, tag="done"):
    """It is done, and there is nothing to tell."""


# What there is


class ListNodes(RequestMessage, frozen=True, tag="list-nodes"):
    """Asks the agent at the door how it sees the nodes: :class:`NodeList`."""


class NodeList(ReplyMessage, frozen=True, tag="nodes"):
    """The nodes as ``observer`` sees them; empty observer for a client-mode agent."""

    observer: str
    rows: tuple[NodeRow, ...]


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
    """

    gpids: tuple[int, ...] = ()
    jobs: bool = False


class ProcessList(ReplyMessage, frozen=True, tag="processes"):
    """The processes of one node at one time (its wall clock, seconds)."""

    node: str
    taken_at_s: float
    rows: tuple[ProcessRow, ...]


class ListJobs(RequestMessage, frozen=True, tag="list-jobs"):
    """Asks a node for the jobs that it has, also ended ones that it remembers: :class:`JobList`."""


class JobList(ReplyMessage, frozen=True, tag="jobs"):
    """Jobs of one node, oldest first."""

    node: str
    rows: tuple[JobRow, ...]


class Locate(RequestMessage, frozen=True, tag="locate"):
    """Asks a node whether it has the process of that gpid: :class:`Located`."""

    gpid: int


class Located(ReplyMessage, frozen=True, tag="located"):
    """Whether it is here.

    Attributes:
        start_ms: Identity of the process beside its gpid, where it is here.
        job: First gpid of its job; 0 for a process of the host.
        moved_to: Where it went, if it was a job that left.
    """

    here: bool
    start_ms: int = 0
    job: int = 0
    moved_to: str = ""


# Jobs


class StartJob(RequestMessage, frozen=True, tag="start-job"):
    """Starts a job as the caller: :class:`JobReply`."""

    mutating: ClassVar[bool] = True
    spec: JobSpec


class JobReply(ReplyMessage, frozen=True, tag="job"):
    """A job as it is now."""

    row: JobRow


class WaitJob(RequestMessage, frozen=True, tag="wait-job"):
    """Waits until a job has ended, at most ``wait_ms``: :class:`JobReply` as it then is."""

    gpid: int
    wait_ms: int


class ReadStream(RequestMessage, frozen=True, tag="read-stream"):
    """Reads a job's output from byte ``offset`` on: :class:`StreamData`.

    It waits at most ``wait_ms`` for the first byte. To ask at an offset says that all before it
    has arrived, so the shim may forget it. With ``peek`` it says nothing of the sort.
    """

    bulk: ClassVar[bool] = True
    gpid: int
    stream: StreamName
    offset: int
    limit_bytes: int
    wait_ms: int
    peek: bool = False


class StreamData(ReplyMessage, frozen=True, tag="stream-data"):
    """Bytes of a stream.

    Attributes:
        offset: Of the first byte of ``data``; beyond what was asked where older bytes are gone.
        ended: Nothing follows ``data``, ever.
    """

    offset: int
    data: bytes
    ended: bool


class WriteStream(RequestMessage, frozen=True, tag="write-stream"):
    """Gives a job's stdin (or terminal) bytes from ``offset`` on: :class:`StreamAccepted`.

    Bytes below the accepted offset are dropped, so a repeated write does no harm. It waits at most
    ``wait_ms`` for room.

    Attributes:
        writer: Random, of each viewer that attaches; it numbers its own bytes from 0. Empty: a
            client that is the only one.
        terminal: The viewer's window: the job's terminal follows whoever typed last.
    """

    bulk: ClassVar[bool] = True
    gpid: int
    offset: int
    data: bytes
    end: bool
    wait_ms: int
    writer: bytes = b""
    terminal: Terminal | None = None


class StreamAccepted(ReplyMessage, frozen=True, tag="stream-accepted"):
    """All of the writer's bytes below ``offset`` are taken; ``closed``: the job reads no more."""

    offset: int
    closed: bool = False


class ResizeTerminal(RequestMessage, frozen=True, tag="resize-terminal"):
    """Gives a job's terminal another size, of no rows for the present one: :class:`Done`.

    With ``repaint`` its foreground program draws the whole screen, for a viewer who has just come.
    """

    gpid: int
    terminal: Terminal
    repaint: bool = False


class DisownJob(RequestMessage, frozen=True, tag="disown-job"):
    """A foreground job goes on without a client from now on: :class:`Done`. Harmless twice."""

    gpid: int


class ReleaseJob(RequestMessage, frozen=True, tag="release-job"):
    """The client has all it wanted of a job that ended: :class:`Done`."""

    gpid: int


class SignalProcess(RequestMessage, frozen=True, tag="signal-process"):
    """Sends a signal to one process, or to all of a job for the job's own gpid: :class:`Done`.

    ``start_ms`` is the identity that the user saw beside the gpid; a process of another start is
    another process, and gets nothing.
    """

    mutating: ClassVar[bool] = True
    gpid: int
    start_ms: int
    signal: int


class FreezeJob(RequestMessage, frozen=True, tag="freeze-job"):
    """Freezes a job with the cgroup freezer, or thaws it; twice is harmless: :class:`JobReply`."""

    mutating: ClassVar[bool] = True
    gpid: int
    start_ms: int
    frozen: bool


# Nodes


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


# Migration. The source node leads; see docs/protocol.md, "Migration".


class MigrateJob(RequestMessage, frozen=True, tag="migrate-job"):
    """Moves a job from the node that is asked to another: :class:`JobMigrated`."""

    mutating: ClassVar[bool] = True
    gpid: int
    start_ms: int
    destination: str


class CheckMigration(RequestMessage, frozen=True, tag="check-migration"):
    """As MigrateJob, but both ends only look and nothing is touched: :class:`MigrationChecked`."""

    gpid: int
    start_ms: int
    destination: str


class MigrationChecked(ReplyMessage, frozen=True, tag="migration-checked"):
    """What stands in the way of a move, each in a sentence, by the end that sees it.

    Attributes:
        here: At the source.
        there: At the destination, or on the way to it.
        image_bytes: How much memory the images would take, about.
        file_bytes: Of open files, whether they are to be copied or are there already.
    """

    gpid: int
    source: str
    destination: str
    here: tuple[str, ...] = ()
    there: tuple[str, ...] = ()
    image_bytes: int = 0
    file_bytes: int = 0


class JobMigrated(ReplyMessage, frozen=True, tag="job-migrated"):
    """A job has moved.

    Attributes:
        total_ms: From the request to running at the destination.
        freeze_ms: How long no process of it ran.
        image_bytes: Size of its checkpoint.
        carried_bytes: Of open files that went with it.
    """

    row: JobRow
    total_ms: float
    freeze_ms: float
    image_bytes: int
    carried_bytes: int
    files_carried: tuple[str, ...] = ()


class FileMeta(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A file or directory of a job: its path and what must be the same at the destination.

    Attributes:
        digests: SHA-256 of each MiB; of a program, of its first 4 KiB; empty for a directory.
        writable: The job has it open for writing.
        mapped: It is program text or a library: never carried, must be there already.
    """

    path: str
    kind: str
    mode: int
    user: str
    group: str
    size_bytes: int = 0
    mtime_ns: int = 0
    digests: tuple[bytes, ...] = ()
    writable: bool = False
    mapped: bool = False


class PrepareMigration(RequestMessage, frozen=True, tag="prepare-migration"):
    """Asks the destination whether it could take a job: :class:`MigrationPrepared`.

    Attributes:
        job: As it will be there: its node and epoch are the destination's.
        criu: Version at the source.
        uid: Of its owner; images name users by number, so it must be the same on both.
        cpu: What ``criu cpuinfo dump`` wrote at the source.
        programs: Must be there, the same.
        image_bytes: How much memory the images will take, about.
        files: Would go along; one of another content at the same path stands in the way.
        shared: Paths on network file systems, which must be there too.
        listening: Addresses on which the job listens, as ``tcp 0.0.0.0:80``.
        dry_run: Nothing follows; nothing is to be made ready.
    """

    mutating: ClassVar[bool] = True
    job: JobRow
    source: str
    criu: str
    uid: int
    gid: int
    cpu: bytes
    programs: tuple[FileMeta, ...]
    image_bytes: int
    files: tuple[FileMeta, ...] = ()
    shared: tuple[str, ...] = ()
    listening: tuple[str, ...] = ()
    dry_run: bool = False


class MigrationPrepared(ReplyMessage, frozen=True, tag="migration-prepared"):
    """What stands in the way, each by name; empty: nothing does."""

    blockers: tuple[str, ...]


class CompareFiles(RequestMessage, frozen=True, tag="compare-files"):
    """Asks which MiB-chunks of each file the destination lacks: :class:`FilesCompared`.

    While the job still runs it may write to a file between its description and its reading; such a
    piece is dropped. Once it is ``frozen``, a piece that is not as described is a failure.
    """

    bulk: ClassVar[bool] = True
    gpid: int
    epoch: int
    files: tuple[FileMeta, ...]
    frozen: bool = False


class FilesCompared(ReplyMessage, frozen=True, tag="files-compared"):
    """For each file asked about, in order, the numbers of the chunks that are to be sent."""

    missing: tuple[tuple[int, ...], ...]


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A part of a file: absolute path of a carried one, or the plain name of an image."""

    file: str
    offset: int
    data: bytes


class PutPieces(RequestMessage, frozen=True, tag="put-pieces"):
    """Gives the destination parts of files, in the order of their offsets: :class:`Done`."""

    bulk: ClassVar[bool] = True
    gpid: int
    epoch: int
    pieces: tuple[Piece, ...]


class RestoreJob(RequestMessage, frozen=True, tag="restore-job"):
    """All is there; the destination restores up to the barrier: :class:`JobRestored`.

    Attributes:
        shim_state: What the source's shim says of streams and terminal, for the new one.
        images: Name, size and CRC-32 of each image file.
        members: Inner pid, gpid and birth of each process, so that they keep their names.
    """

    mutating: ClassVar[bool] = True
    job: JobRow
    source: str
    shim_state: bytes
    images: tuple[tuple[str, int, int], ...]
    members: tuple[tuple[int, int, int], ...]
    files: tuple[FileMeta, ...]
    directories: tuple[FileMeta, ...] = ()


class JobRestored(ReplyMessage, frozen=True, tag="job-restored"):
    """The job stands at the barrier of the destination, not yet running."""

    restore_ms: float


class ResumeJob(RequestMessage, frozen=True, tag="resume-job"):
    """The source's copy is gone: the destination owns the job and lets it run: :class:`Done`."""

    mutating: ClassVar[bool] = True
    gpid: int
    epoch: int


class AbandonMigration(RequestMessage, frozen=True, tag="abandon-migration"):
    """The move is off: the destination drops its copy and all it was given: :class:`Done`."""

    mutating: ClassVar[bool] = True
    gpid: int
    epoch: int


class GetOwnership(RequestMessage, frozen=True, tag="get-ownership"):
    """Asks how far a node came with a job's move: :class:`Ownership`."""

    gpid: int


class Ownership(ReplyMessage, frozen=True, tag="ownership"):
    """How a node stands to a job.

    ``none``, ``ready`` (at the barrier), ``running``, ``stopped`` (being moved, not committed),
    ``committed`` (its copy killed, images kept) or ``moved``.

    Attributes:
        epoch: The last that the node had the job in.
        destination: To whom the job is being given, where it is stopped or committed.
    """

    stage: str
    epoch: int = 0
    destination: str = ""


RequestBody: TypeAlias = (
    GetRoster
    | InstallRoster
    | AllowClient
    | ListNodes
    | ListEvents
    | ListProcesses
    | ListJobs
    | Locate
    | StartJob
    | WaitJob
    | ReadStream
    | WriteStream
    | ResizeTerminal
    | DisownJob
    | ReleaseJob
    | SignalProcess
    | FreezeJob
    | CordonNode
    | Examine
    | MigrateJob
    | CheckMigration
    | PrepareMigration
    | CompareFiles
    | PutPieces
    | RestoreJob
    | ResumeJob
    | AbandonMigration
    | GetOwnership
)

ReplyBody: TypeAlias = (
    RosterReply
    | Done
    | NodeList
    | EventList
    | ProcessList
    | JobList
    | Located
    | JobReply
    | StreamData
    | StreamAccepted
    | Examined
    | JobMigrated
    | MigrationChecked
    | MigrationPrepared
    | FilesCompared
    | JobRestored
    | Ownership
)
