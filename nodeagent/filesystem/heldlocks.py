"""Which files of other nodes are locked from here: the kernel here does not know, workers do."""

from __future__ import annotations

from pathlib import Path

from nodeagent.filesystem.mount.journal import (
    ClosedRecord,
    FileRecord,
    NodeRecord,
    Record,
    read_journal,
)


def inodes_with_locks(folder: Path) -> frozenset[int]:
    """Inodes, as programs here see them, of open files through which a lock was taken.

    One that was given back since counts too: whether it was, only the server knows.

    Args:
        folder: Of the journals of this node's mounts.
    """
    found: set[int] = set()
    for path in folder.glob("*.journal"):
        try:
            found |= locked_inodes(read_journal(path.read_bytes()))
        except FileNotFoundError:
            continue  # it was unmounted
    return frozenset(found)


def locked_inodes(records: list[Record]) -> set[int]:
    """Likewise, of the records of one journal."""
    inodes: dict[int, int] = {}
    open_files: dict[int, FileRecord] = {}
    for record in records:
        match record:
            case NodeRecord():
                inodes[record.number] = record.ino
            case FileRecord():
                open_files[record.number] = record
            case ClosedRecord():
                open_files.pop(record.number, None)
            case _:
                pass
    return {
        inodes[file.node]
        for file in open_files.values()
        if (file.has_flock or file.lock_owners) and file.node in inodes
    }
