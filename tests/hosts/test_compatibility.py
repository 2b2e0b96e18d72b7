"""What moves of all that a program may hold, with programs as people use them.

The rows of docs/compatibility.md name these tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.moving import assert_runs_on, on_every_node, running
from tests.hosts.screen import screen_of
from tests.hosts.system import PATIENCE_S, Ssi, eventually


@pytest.mark.parametrize(
    ("argv", "shows"),
    [
        (("top",), b"load average"),
        (("htop",), b"Load average"),
        (("nano", "/tmp/letter"), b"GNU nano"),
        (("less", "/etc/services"), b"tcpmux"),
    ],
    ids=["argv0", "argv1", "argv2", "argv3"],
)
def test_full_screen_program_moves_and_still_takes_keys(
    ssi: Ssi, argv: tuple[str, ...], shows: bytes
) -> None:
    with screen_of(ssi, "n1", *argv) as screen:
        gpid = running(ssi, argv[0])
        screen.see(shows)
        for destination in ("n2", "n3"):
            ssi.ok("migrate", gpid, destination)
        screen.type(b"\x18" if argv[0] == "nano" else b"q")
        assert screen.client.wait(PATIENCE_S) == 0


APPEND = """
import itertools, os, time
log = open("/srv/compat/log", "a")
for number in itertools.count():
    log.write(f"{number}\\n")
    log.flush()
    time.sleep(0.02)
    if os.path.exists("/srv/compat/enough"):
        break
"""


SQLITE = """
import itertools, os, sqlite3, time
base = sqlite3.connect("/srv/compat/base", isolation_level=None)
base.execute("pragma journal_mode=%s")
base.execute("create table numbers (n)")
for number in itertools.count():
    base.execute("begin")
    base.execute("insert into numbers values (?)", (number,))
    time.sleep(0.02)
    base.execute("commit")
    if os.path.exists("/srv/compat/enough"):
        break
print(base.execute("select count(*) from numbers").fetchone()[0] - number,
      base.execute("select count(distinct n) from numbers").fetchone()[0] - number,
      base.execute("pragma integrity_check").fetchone()[0], flush=True)
"""


def test_log_in_append_mode_has_every_line_once(ssi: Ssi) -> None:
    on_every_node(ssi, "rm", "-rf", "/srv/compat")
    on_every_node(ssi, "mkdir", "-p", "/srv/compat")
    gpid = ssi.detached("n1", "python3", "-c", APPEND)
    for source, destination in (("n1", "n2"), ("n2", "n3")):
        log = Path(ssi.host(source).root, "srv/compat/log")
        eventually(lambda log=log: log.exists() and log.stat().st_size, what="it writes")  # type: ignore[misc]
        ssi.ok("migrate", gpid, destination)
    assert ends_when_told(ssi, gpid) == ""
    lines = ssi.host("n3").run("cat", "/srv/compat/log").stdout.split()
    assert len(lines) > 1
    assert lines == [b"%d" % number for number in range(len(lines))]


def ends_when_told(ssi: Ssi, gpid: str) -> str:
    """What a job said that writes below /srv/compat until it finds a file there."""
    on_every_node(ssi, "touch", "/srv/compat/enough")
    status = ssi("wait", gpid).status
    said = ssi.ok("logs", gpid)
    assert status == 0, said
    return said


def start_sqlite(ssi: Ssi, journal: str) -> str:
    """The gpid of a job that writes to a database which is there."""
    on_every_node(ssi, "rm", "-rf", "/srv/compat")
    on_every_node(ssi, "mkdir", "-p", "/srv/compat")
    gpid = ssi.detached("n1", "python3", "-c", SQLITE % journal)
    written = Path(ssi.host("n1").root, "srv/compat", "base-wal" if journal == "wal" else "base")
    eventually(
        lambda: written.exists() and written.stat().st_size >= 4096,
        what="the database is there",
    )
    return gpid


def test_sqlite_with_a_write_ahead_log_moves_within_its_transactions(ssi: Ssi) -> None:
    gpid = start_sqlite(ssi, "wal")
    for destination in ("n2", "n3"):
        ssi.ok("migrate", gpid, destination)
    assert ends_when_told(ssi, gpid) == "1 1 ok\n"


def test_sqlite_with_a_rollback_journal_is_refused_by_name_and_finishes(ssi: Ssi) -> None:
    gpid = start_sqlite(ssi, "delete")
    result = ssi("migrate", gpid, "n2")
    assert result.status == 26 and "/srv/compat/base" in result.err, result
    assert ends_when_told(ssi, gpid) == "1 1 ok\n"


CONNECTED = """
import os, socket, time
server = socket.create_server(("127.0.0.1", 17180))
client = socket.create_connection(("127.0.0.1", 17180))
time.sleep(100)
"""


OUTSIDE = """
import socket, time
client = socket.socket(socket.AF_UNIX)
while client.connect_ex("/run/compat-served"):
    time.sleep(0.05)  # it has its name before it listens
time.sleep(100)
"""


SERVER = """
import socket, time
server = socket.socket(socket.AF_UNIX)
server.bind("/run/compat-served")
server.listen()
while True:
    kept = server.accept()
"""


WATCHER = """
import ctypes, time
libc = ctypes.CDLL(None)
watcher = libc.inotify_init()
assert libc.inotify_add_watch(watcher, b"/srv", 0x100) >= 0
time.sleep(100)
"""


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (CONNECTED, "a tcp connection from 127.0.0.1"),
        (OUTSIDE, "through the Unix socket /run/compat-served"),
        (WATCHER, "inotify watches a file on overlayfs"),
    ],
    ids=["tcp", "unix", "inotify"],
)
def test_what_cannot_move_is_refused_by_name_and_runs_on(
    ssi: Ssi, program: str, reason: str
) -> None:
    on_every_node(ssi, "rm", "-f", "/run/compat-served")
    server = ssi.detached("n1", "python3", "-c", SERVER)
    eventually(
        lambda: ssi.host("n1").run("test", "-e", "/run/compat-served").returncode == 0,
        what="the server listens",
    )
    gpid = ssi.detached("n1", "python3", "-c", program)

    def refused() -> bool:
        result = ssi("migrate", "--dry-run", gpid, "n2")
        return result.status == 26 and reason in result.err + result.out

    eventually(refused, what=reason)
    result = ssi("migrate", gpid, "n2")
    assert result.status == 26 and reason in result.err, result
    assert_runs_on(ssi, gpid, "n1")
    ssi.ok("kill", gpid, server)


def test_tmux_is_refused_for_its_socket_and_runs_on(ssi: Ssi) -> None:
    with screen_of(ssi, "n1", "tmux", "-f", "/dev/null") as screen:
        gpid = running(ssi, "tmux")
        screen.see(b"#")
        result = ssi("migrate", gpid, "n2")
        assert result.status == 26 and "/tmp/tmux-0/default" in result.err, result
        screen.type(b"exit\r")
        assert screen.client.wait(PATIENCE_S) == 0
