"""What is asked about checkpoints by hand, copies of running jobs, and processes to be adopted."""

from __future__ import annotations

from typing import ClassVar

from ssi.model.checkpoint import CheckpointRow, FilesRule
from ssi.model.job import JobRow
from ssi.protocol.message import ReplyMessage, RequestMessage


class CheckpointJob(RequestMessage, frozen=True, tag="checkpoint-job"):
    """Keeps a job as it is now, on its node: :class:`CheckpointMade`.

    Attributes:
        name: Of the checkpoint, which then outlives the job; empty: one is made up.
        stop: The job ends with it.
    """

    mutating: ClassVar[bool] = True
    gpid: int
    start_ms: int
    name: str = ""
    stop: bool = False


class CheckpointMade(ReplyMessage, frozen=True, tag="checkpoint-made"):
    """A checkpoint is kept.

    Attributes:
        freeze_ms: How long no process of the job ran.
    """

    row: CheckpointRow
    total_ms: float
    freeze_ms: float


class ListCheckpoints(RequestMessage, frozen=True, tag="list-checkpoints"):
    """Asks a node for the checkpoints that it keeps: :class:`CheckpointList`."""


class CheckpointList(ReplyMessage, frozen=True, tag="checkpoints"):
    """Checkpoints of one node, oldest first."""

    node: str
    rows: tuple[CheckpointRow, ...]


class RemoveCheckpoint(RequestMessage, frozen=True, tag="remove-checkpoint"):
    """Removes a checkpoint from the node that keeps it: :class:`Done`."""

    mutating: ClassVar[bool] = True
    name: str


class RestoreCheckpoint(RequestMessage, frozen=True, tag="restore-checkpoint"):
    """Lets a checkpoint of the node that is asked run on some node: :class:`JobRevived`.

    Attributes:
        as_new: As another job, with gpids of its own, whatever became of the first.
        files: What if a file is not as it was.
    """

    mutating: ClassVar[bool] = True
    name: str
    destination: str
    as_new: bool = False
    files: FilesRule = FilesRule.SAME


class CloneJob(RequestMessage, frozen=True, tag="clone-job"):
    """Makes a second job of a running one, on some node: :class:`JobRevived`.

    Attributes:
        share_files: Both may write to the same files.
    """

    mutating: ClassVar[bool] = True
    gpid: int
    start_ms: int
    destination: str
    share_files: bool = False


class JobRevived(ReplyMessage, frozen=True, tag="job-revived"):
    """A job runs that was images before.

    Attributes:
        freeze_ms: How long a cloned job was held; 0 for a checkpoint.
    """

    row: JobRow
    total_ms: float
    freeze_ms: float = 0.0


class LeaveJob(RequestMessage, frozen=True, tag="leave-job"):
    """A job that ended on the node that is asked lives again on ``node``: :class:`Done`."""

    mutating: ClassVar[bool] = True
    gpid: int
    epoch: int
    node: str


class AdoptProcess(RequestMessage, frozen=True, tag="adopt-process"):
    """Makes a job of a process that ssi did not start: :class:`JobRevived`.

    Attributes:
        destination: Where the job is to run; empty: where the process is.
        force: Its parent may see it end.
    """

    mutating: ClassVar[bool] = True
    gpid: int
    start_ms: int
    destination: str = ""
    force: bool = False


class CheckAdoption(RequestMessage, frozen=True, tag="check-adoption"):
    """As AdoptProcess, but it is only looked and nothing is touched: :class:`MigrationChecked`."""

    gpid: int
    start_ms: int
    destination: str = ""
    force: bool = False
