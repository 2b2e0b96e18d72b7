"""The lines that a person ran, in a file of SQLite that all shells of that person share."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from ssi.client.paths import config_dir
from ssi.model.errors import SsiError

PATIENCE_S: Final = 1.0
"""How long another shell that is writing is waited for."""

KEPT: Final = 100_000
"""Lines that are kept; older ones go when a shell begins."""

LONGEST: Final = 100_000
"""Characters of the longest line that is kept: what is longer was made by a program."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS lines (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    line TEXT NOT NULL,
    started_at_s REAL NOT NULL,
    node TEXT NOT NULL,
    cwd TEXT NOT NULL,
    gpid INTEGER,
    status INTEGER,
    duration_s REAL
)
"""


@dataclass(eq=False, kw_only=True)
class HistoryUnusable(SsiError):
    """The file of the history cannot be read or written; the shell goes on without it."""

    word = "history-unusable"
    path: str
    reason: str

    def what(self) -> str:
        return f"lines are not kept: {self.path}: {self.reason}"

    def advice(self) -> str:
        return "move it out of the way or mend its permissions, and start the shell again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line that was run.

    Attributes:
        number: Counts the lines of all shells; 0 before it is kept.
        gpid: Of the job that it became; None where it became none.
        status: Its exit status; None while it runs, and for ever where its shell was killed.
    """

    line: str
    started_at_s: float
    node: str
    cwd: str
    number: int = 0
    gpid: int | None = None
    status: int | None = None
    duration_s: float | None = None


def history_path() -> Path:
    """``~/.local/share/ssi/history.db``, or as XDG or ``SSI_CONFIG_DIR`` say.

    ``SSI_HISTORY`` names another.
    """
    own = config_dir() if os.environ.get("SSI_CONFIG_DIR") else platformdirs.user_data_path("ssi")
    return Path(os.environ.get("SSI_HISTORY") or own / "history.db")


class History:
    """The file, open."""

    def __init__(self, path: Path) -> None:
        """Opens the file, and makes it where there is none, for its owner alone.

        Raises:
            HistoryUnusable: It cannot be.
        """
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            path.chmod(0o600)  # SQLite gives the same to what it puts beside it
        except OSError as exc:
            raise self._unusable(exc.strerror or str(exc)) from exc
        try:
            self._database = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
        except sqlite3.Error as exc:
            raise self._unusable(str(exc)) from exc
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(_SCHEMA)
            self._database.execute(
                "DELETE FROM lines WHERE id <= (SELECT max(id) FROM lines) - ?", (KEPT,)
            )
        except sqlite3.Error as exc:
            self._database.close()
            raise self._unusable(str(exc)) from exc

    def add(self, entry: Entry) -> int:
        """Keeps a line that begins to run; its number.

        Raises:
            HistoryUnusable: It cannot be kept.
        """
        values = (_storable(entry.line), entry.started_at_s, entry.node, _storable(entry.cwd))
        try:
            with closing(
                self._database.execute(
                    "INSERT INTO lines (line, started_at_s, node, cwd) VALUES (?, ?, ?, ?)", values
                )
            ) as cursor:
                return cursor.lastrowid or 0
        except sqlite3.Error as exc:
            raise self._unusable(str(exc)) from exc

    def finish(self, number: int, *, gpid: int | None, status: int, duration_s: float) -> None:
        """Adds how a line ended.

        Raises:
            HistoryUnusable: It cannot be kept.
        """
        try:
            self._database.execute(
                "UPDATE lines SET gpid = ?, status = ?, duration_s = ? WHERE id = ?",
                (gpid, status, duration_s, number),
            ).close()
        except sqlite3.Error as exc:
            raise self._unusable(str(exc)) from exc

    def after(self, number: int, *, most: int) -> list[Entry]:
        """The lines after that number, of all shells, oldest first; the last ``most`` of them.

        Raises:
            HistoryUnusable: They cannot be read.
        """
        try:
            rows = self._database.execute(
                "SELECT id, line, started_at_s, node, cwd, gpid, status, duration_s"
                " FROM lines WHERE id > ? ORDER BY id DESC LIMIT ?",
                (number, most),
            ).fetchall()
            return list(_entries(reversed(rows)))
        except (sqlite3.Error, ValueError, TypeError) as exc:
            raise self._unusable(str(exc)) from exc

    def close(self) -> None:
        """Nothing is kept or read any more. Twice is harmless."""
        self._database.close()

    def _unusable(self, reason: str) -> HistoryUnusable:
        return HistoryUnusable(path=str(self.path), reason=reason)


def _entries(rows: Iterable[tuple[object, ...]]) -> Iterable[Entry]:
    for number, line, started_at_s, node, cwd, gpid, status, duration_s in rows:
        yield Entry(
            number=int(str(number)),
            line=str(line),
            started_at_s=float(str(started_at_s)),
            node=str(node),
            cwd=str(cwd),
            gpid=None if gpid is None else int(str(gpid)),
            status=None if status is None else int(str(status)),
            duration_s=None if duration_s is None else float(str(duration_s)),
        )


def _storable(text: str) -> str:
    """Bytes that are no UTF-8 cannot be in a text of SQLite."""
    return text.encode("utf-8", "replace").decode()
