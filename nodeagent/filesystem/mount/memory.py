"""What a worker knows of one mount and the next one must know as well: kept in its journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nodeagent.filesystem.mount.handles import Directory, Failure, File, Handles
from nodeagent.filesystem.mount.journal import (
    ClosedRecord,
    DirectoryRecord,
    FileRecord,
    Journal,
    NodeRecord,
    Record,
    SessionRecord,
    read_journal,
)
from nodeagent.filesystem.mount.nodes import Node, Nodes


class Memory:
    """Inodes, open files and the session of one mount.

    Args:
        path: Of the journal. One that is there is gone on with.
    """

    def __init__(self, path: Path) -> None:
        self.nodes = Nodes()
        self.handles = Handles()
        self.session = b""
        self.boot = ""
        if path.exists():
            self._restore(read_journal(path.read_bytes()))
        self._journal: Journal | None = Journal(path)
        self._unsaved: list[Record] = []
        self._is_urgent = False
        self.nodes.touched.clear()

    def note_session(self, session: bytes) -> None:
        """The session that the mount has with its server."""
        self.session = session
        self._is_urgent = True
        self._unsaved.append(SessionRecord(session, self.boot))

    def note_boot(self, boot: str) -> bool:
        """The run of the server's kernel; whether it is another than before."""
        rebooted = self.boot not in {"", boot}
        if boot != self.boot:
            self.boot = boot
            self._is_urgent = True
            self._unsaved.append(SessionRecord(self.session, boot))
        return rebooted

    def opened(self, file: File) -> None:
        """A file was opened, or has changed."""
        self._is_urgent = True
        self._unsaved.append(_file_record(file))

    def opened_directory(self, directory: Directory) -> None:
        """A directory was opened."""
        self._is_urgent = True
        self._unsaved.append(_directory_record(directory))

    def closed(self, number: int) -> None:
        """A file or a directory was closed."""
        self._unsaved.append(ClosedRecord(number))

    def save(self) -> None:
        """Writes down what changed, where the next worker would miss some of it.

        That something was closed or forgotten may come later: to know of it still does no harm.
        How often the kernel has looked a known inode up is not written each time: it forgets all
        at once.
        """
        if self._is_urgent or self.nodes.touched:
            self.save_all()

    def save_all(self) -> None:
        """Writes down all that changed."""
        self._append()
        if self._journal is not None and self._journal.is_long:
            self._journal.replace(self._all())

    def _append(self) -> None:
        self._is_urgent = False
        for nodes in (self.nodes.touched, self.nodes.forgotten):
            if nodes:
                self._unsaved.extend(_node_record(node) for node in nodes)
                nodes.clear()
        if not self._unsaved or self._journal is None:
            return
        records, self._unsaved = self._unsaved, []
        self._journal.append(records)

    def close(self) -> None:
        """The mount has ended."""
        if self._journal is not None:
            self._append()  # not anew: whoever took the mount away may have removed it
            self._journal.close()
            self._journal = None

    def _all(self) -> Iterator[Record]:
        yield SessionRecord(self.session, self.boot)
        written: set[int] = set()
        for node in self.nodes:
            yield from _with_parents(node, written)
        for file in self.handles.files.values():
            yield _file_record(file)
        for directory in self.handles.directories.values():
            yield _directory_record(directory)

    def _restore(self, records: list[Record]) -> None:
        nodes: dict[int, NodeRecord] = {}
        opened: dict[int, FileRecord | DirectoryRecord] = {}
        for record in records:
            match record:
                case SessionRecord():
                    self.session, self.boot = record.session, record.boot
                case NodeRecord():
                    nodes[record.number] = record
                case FileRecord() | DirectoryRecord():
                    opened[record.number] = record
                    self.handles.last = max(self.handles.last, record.number)
                case ClosedRecord():
                    opened.pop(record.number, None)
        self._restore_nodes(nodes)
        for each in opened.values():
            self._restore_open(each)

    def _restore_nodes(self, records: dict[int, NodeRecord]) -> None:
        wanted = {number for number, record in records.items() if record.lookups}
        for number in list(wanted):  # those above are needed, whether the kernel knows them or not
            while (number := records[number].parent) in records and number not in wanted:
                wanted.add(number)
        # A directory may have a higher number than what was moved into it: first all, then places.
        for number in wanted:
            record = records[number]
            self.nodes.restore(number, (record.device, record.ino), 0, b"", record.lookups)
        for number in wanted:
            record = records[number]
            key = (record.device, record.ino)
            self.nodes.restore(number, key, record.parent, record.name, record.lookups)

    def _restore_open(self, record: FileRecord | DirectoryRecord) -> None:
        try:
            node = self.nodes.get(record.node)
        except OSError:
            return  # nobody can use what the kernel has forgotten
        if isinstance(record, FileRecord):
            file = File(record.number, record.handle, node, record.flags, record.user, record.group)
            file.unsynced, file.has_flock = record.unsynced, record.has_flock
            file.lock_owners.update(record.lock_owners)
            if record.failure:
                file.failure, file.writes_through = Failure(record.failure), True
            file.setting = record.setting
            file.takers.update(record.takers)
            file.closes_unheard = record.closes_unheard
            file.is_lost, file.error = record.is_lost, record.error
            self.handles.files[record.number] = file
        else:
            directory = Directory(record.number, node, record.user, record.group, [], 0, 0.0)
            directory.begun = directory.is_cut = True  # so that it is read anew
            self.handles.directories[record.number] = directory


def _with_parents(node: Node, written: set[int]) -> Iterator[Record]:
    line = []
    above: Node | None = node
    while above is not None and above.number not in written:
        written.add(above.number)
        line.append(above)
        above = above.parent
    for each in reversed(line):
        yield _node_record(each)


def _node_record(node: Node) -> NodeRecord:
    parent = node.parent.number if node.parent is not None else 0
    return NodeRecord(node.number, *node.key, parent, node.name, node.lookups)


def _file_record(file: File) -> FileRecord:
    return FileRecord(
        file.number, file.handle, file.node.number, file.flags, file.user, file.group,
        file.unsynced, tuple(file.lock_owners), file.has_flock,
        file.failure.error if file.failure is not None else 0, file.setting,
        file.closes_unheard, tuple(file.takers.items()), file.is_lost, file.error,
    )  # fmt: skip


def _directory_record(directory: Directory) -> DirectoryRecord:
    return DirectoryRecord(directory.number, directory.node.number, directory.user, directory.group)
