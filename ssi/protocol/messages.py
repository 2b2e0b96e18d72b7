"""Everything that can be asked of an agent, and the answers: one closed union each."""

from __future__ import annotations

from typing import TypeAlias

from ssi.protocol.channel import OpenChannel
from ssi.protocol.checkpoints import (
    AdoptProcess,
    CheckAdoption,
    CheckpointJob,
    CheckpointList,
    CheckpointMade,
    CloneJob,
    JobRevived,
    LeaveJob,
    ListCheckpoints,
    RemoveCheckpoint,
    RestoreCheckpoint,
)
from ssi.protocol.clients import FilesWanted, ListServed, OfferFiles, ServedList, ServeFiles
from ssi.protocol.guests import AllowFiles, FilesAllowed
from ssi.protocol.jobs import (
    DisownJob,
    FreezeJob,
    JobReply,
    ReadStream,
    ReleaseJob,
    ResizeTerminal,
    SignalProcess,
    StartJob,
    StreamAccepted,
    StreamData,
    WaitJob,
    WriteStream,
)
from ssi.protocol.message import Done
from ssi.protocol.migration import (
    AbandonMigration,
    CheckMigration,
    CompareFiles,
    EndLoan,
    FilesCompared,
    ForwardSignals,
    GetOwnership,
    GetPages,
    JobMigrated,
    JobRestored,
    MigrateJob,
    MigrationChecked,
    MigrationPrepared,
    Ownership,
    Pages,
    PrepareMigration,
    PutPieces,
    RestoreJob,
    ResumeJob,
)
from ssi.protocol.mounts import ListMounts, MountFiles, MountList, UnmountFiles
from ssi.protocol.pipes import CloseStream, JoinStreams, LaneOpened, OpenLane, TakeStream
from ssi.protocol.system import (
    AllowClient,
    ClientList,
    CordonNode,
    EventList,
    Examine,
    Examined,
    GetRoster,
    InstallRoster,
    JobList,
    ListClients,
    ListEvents,
    ListJobs,
    ListNodes,
    ListProcesses,
    Locate,
    Located,
    NodeList,
    ProcessList,
    RevokeClient,
    RosterReply,
)
from ssi.protocol.table import (
    InspectProcess,
    ProcessInspected,
    TableChange,
    TuneProcess,
    WatchProcesses,
)

RequestBody: TypeAlias = (
    GetRoster
    | InstallRoster
    | AllowClient
    | ListClients
    | RevokeClient
    | ListNodes
    | ListEvents
    | ListProcesses
    | ListJobs
    | Locate
    | StartJob
    | WaitJob
    | ReadStream
    | WriteStream
    | JoinStreams
    | TakeStream
    | CloseStream
    | OpenLane
    | OpenChannel
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
    | ForwardSignals
    | GetPages
    | EndLoan
    | AbandonMigration
    | GetOwnership
    | CheckpointJob
    | ListCheckpoints
    | RemoveCheckpoint
    | RestoreCheckpoint
    | CloneJob
    | LeaveJob
    | AdoptProcess
    | CheckAdoption
    | MountFiles
    | UnmountFiles
    | ListMounts
    | WatchProcesses
    | TuneProcess
    | InspectProcess
    | AllowFiles
    | ServeFiles
    | ListServed
    | OfferFiles
)

ReplyBody: TypeAlias = (
    RosterReply
    | Done
    | ClientList
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
    | Pages
    | Ownership
    | CheckpointMade
    | CheckpointList
    | JobRevived
    | MountList
    | TableChange
    | ProcessInspected
    | FilesAllowed
    | ServedList
    | FilesWanted
    | LaneOpened
)
