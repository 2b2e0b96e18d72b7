"""What two nodes say to each other while a job moves, and what asks them to.

The source node leads; see docs/protocol.md, "Migration".
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from ssi.model.job import JobRow
from ssi.model.sentsignal import SentSignal
from ssi.protocol.message import ReplyMessage, RequestMessage


class MigrateJob(RequestMessage, frozen=True, tag="migrate-job"):
    """Moves a job from the node that is asked to another: :class:`JobMigrated`.

    Attributes:
        live: A word of :class:`ssi.model.migration.Live`; empty: whichever the source holds best.
    """

    mutating: ClassVar[bool] = True
    gpid: int
    start_ms: int
    destination: str
    live: str = ""


class CheckMigration(RequestMessage, frozen=True, tag="check-migration"):
    """As MigrateJob, but both ends only look and nothing is touched: :class:`MigrationChecked`."""

    gpid: int
    start_ms: int
    destination: str
    live: str = ""


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
        sent_bytes: What went over the link for both, packed or not.
        packed_bytes: Of images and files, how much was packed by zstd on its way.
        dump_ms: How long CRIU wrote images; they were sent meanwhile.
        send_ms: For how long sending went on after that.
        restore_ms: How long the destination took to restore it.
        late_bytes: Of memory that came after it had been resumed.
        early_bytes: Of images that were sent while it still ran, beside ``image_bytes``.
        rounds: In how many rounds those went.
        not_ahead: Why none were, where they should have been; empty: they were, or should not.
    """

    row: JobRow
    total_ms: float
    freeze_ms: float
    image_bytes: int
    carried_bytes: int
    files_carried: tuple[str, ...] = ()
    sent_bytes: int = 0
    packed_bytes: int = 0
    dump_ms: float = 0.0
    send_ms: float = 0.0
    restore_ms: float = 0.0
    late_bytes: int = 0
    early_bytes: int = 0
    rounds: int = 0
    not_ahead: str = ""


class FileMeta(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A file or directory of a job: its path and what must be the same at the destination.

    Attributes:
        digests: SHA-256 of each MiB; of a program, of its first 4 KiB; empty for a directory.
        writable: The job has it open for writing.
        mapped: It is program text or a library: never carried, must be there already.
        inode: Its number at the source.
        ctime_ns: When it was changed last there, by the clock of its file system.
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
    inode: int = 0
    ctime_ns: int = 0


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
        live: A word of :class:`ssi.model.migration.Live`.
        lane: Its images can go by :class:`ImageLane`.
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
    live: str = ""
    lane: bool = False


class ImageLane(msgspec.Struct, frozen=True, array_like=True):
    """Where the destination waits for the images of one move, for ten seconds and one peer.

    Attributes:
        port: TCP, at the destination's address.
        key: Seals what goes over it, both ways.
        files: Those that the job carries may come by it too.
    """

    port: int
    key: bytes
    files: bool = False

    def __repr__(self) -> str:
        return f"ImageLane(port={self.port})"


class MigrationPrepared(ReplyMessage, frozen=True, tag="migration-prepared"):
    """What stands in the way, each by name; empty: nothing does.

    Attributes:
        unpacks: It takes packed pieces.
        lane: Where it takes images that do not go over CURVE; None where it does not.
        standing: Those of the files that are there already, the same.
        room_bytes: For images, of which some may come ahead of the others, in directories of their
            own; 0: none may.
    """

    blockers: tuple[str, ...]
    unpacks: bool = False
    lane: ImageLane | None = None
    standing: tuple[str, ...] = ()
    room_bytes: int = 0


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
    """A part of a file: absolute path of a carried one, or the plain name of an image.

    Attributes:
        unpacked_bytes: How many bytes it will be once unpacked by zstd; 0: it is not packed.
    """

    file: str
    offset: int
    data: bytes
    unpacked_bytes: int = 0


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
        images: Name, size and CRC-32 of each image file; docs/protocol.md tells of which bytes.
        members: Inner pid, gpid and birth of each process, so that they keep their names.
        revived: No client waits for it: it comes from a checkpoint, or is a copy.
        lazy: Memory that is not in the images is to be had by GetPages once the job runs.
        followed: What it has open of files that it sees on every node, without digests.
        by_lane: Its images went by :class:`ImageLane`; the last of them may be on their way.
    """

    mutating: ClassVar[bool] = True
    job: JobRow
    source: str
    shim_state: bytes
    images: tuple[tuple[str, int, int], ...]
    members: tuple[tuple[int, int, int], ...]
    files: tuple[FileMeta, ...]
    directories: tuple[FileMeta, ...] = ()
    revived: bool = False
    lazy: bool = False
    followed: tuple[FileMeta, ...] = ()
    by_lane: bool = False


class JobRestored(ReplyMessage, frozen=True, tag="job-restored"):
    """The job stands at the barrier of the destination, not yet running.

    Attributes:
        same: Paths of files that the job writes and that both nodes see: none of them is removed.
    """

    restore_ms: float
    same: tuple[str, ...] = ()


class ResumeJob(RequestMessage, frozen=True, tag="resume-job"):
    """The source's copy is gone: the destination owns the job and lets it run: :class:`Done`."""

    mutating: ClassVar[bool] = True
    gpid: int
    epoch: int


class ForwardSignals(RequestMessage, frozen=True, tag="forward-signals"):
    """What was sent to the job's copy at the source, that its images do not have: :class:`Done`.

    Asked for once the job runs, by a node where it was.
    """

    mutating: ClassVar[bool] = True
    gpid: int
    signals: tuple[SentSignal, ...]


class GetPages(RequestMessage, frozen=True, tag="get-pages"):
    """Asks the source for memory of a job that runs at the destination already: :class:`Pages`.

    Attributes:
        pid: As the job itself sees it.
        address: In that process.
        size_bytes: At most a MiB.
    """

    bulk: ClassVar[bool] = True
    gpid: int
    epoch: int
    pid: int
    address: int
    size_bytes: int


class Pages(ReplyMessage, frozen=True, tag="pages"):
    """What is there."""

    data: bytes


class EndLoan(RequestMessage, frozen=True, tag="end-loan"):
    """No more pages are wanted: all have come, or, with a ``problem``, the job was lost: Done."""

    mutating: ClassVar[bool] = True
    gpid: int
    epoch: int
    problem: str = ""


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
    ``committed`` (its copy killed, images kept), ``lent`` (frozen for its memory's sake) or
    ``moved``.

    Attributes:
        epoch: The last that the node had the job in.
        destination: To whom the job is being given, where it is stopped or committed.
        over: The job has ended, on this node.
    """

    stage: str
    epoch: int = 0
    destination: str = ""
    over: bool = False
