"""What moves of all that a program may hold: each object alone, with its state looked at after.

The rows of docs/compatibility.md name these tests.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssi.lab import Lab
from tests.hosts.pair import Pair, pair_on
from tests.hosts.system import PATIENCE_S, Ssi, eventually
from tests.hosts.test_migration import assert_runs_on, on_every_node, running
from tests.hosts.test_shim_migration import ADA
from tests.hosts.test_terminal_migration import screen_of

OBJECTS = {
    "deleted-file": """
        file = open("/tmp/deleted", "w+b")
        os.unlink("/tmp/deleted")
        file.write(b"kept" * 500_000)
        file.flush()
        await_move()
        assert os.fstat(file.fileno()).st_nlink == 0
        file.write(b"more")
        file.seek(0)
        assert file.read() == b"kept" * 500_000 + b"more"
    """,
    "epoll": """
        reader, writer = os.pipe()
        poll = select.epoll()
        poll.register(reader, select.EPOLLIN)
        assert poll.poll(0) == []
        await_move()
        os.write(writer, b"x")
        assert poll.poll(30) == [(reader, select.EPOLLIN)]
    """,
    "eventfd": """
        event = os.eventfd(3)
        await_move()
        os.eventfd_write(event, 4)
        assert os.eventfd_read(event) == 7
    """,
    "timerfd": """
        libc = ctypes.CDLL(None, use_errno=True)
        timer = libc.timerfd_create(1, 0)
        spec = struct.pack("qqqq", 0, 20_000_000, 0, 20_000_000)
        libc.timerfd_settime(timer, 0, spec, None)
        os.read(timer, 8)
        await_move()
        for _ in range(10):
            assert select.select([timer], [], [], 30)[0]
            os.read(timer, 8)
    """,
    "signalfd": """
        libc = ctypes.CDLL(None, use_errno=True)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        mask = struct.pack("Q", 1 << (signal.SIGUSR1 - 1)) + bytes(120)
        descriptor = libc.signalfd(-1, mask, 0)
        os.kill(os.getpid(), signal.SIGUSR1)
        await_move()
        told = os.read(descriptor, 128)
        assert struct.unpack_from("I", told)[0] == signal.SIGUSR1
    """,
    "socketpair": """
        ours, theirs = socket.socketpair()
        ours.sendall(b"unread ")
        await_move()
        ours.sendall(b"and more")
        assert theirs.recv(100, socket.MSG_WAITALL | socket.MSG_DONTWAIT) == b"unread and more"
    """,
    "unix-server-and-client": """
        server = socket.socket(socket.AF_UNIX)
        server.bind("\\0ssi-compatibility")
        server.listen()
        client = socket.socket(socket.AF_UNIX)
        client.connect("\\0ssi-compatibility")
        peer, _ = server.accept()
        client.sendall(b"unread ")
        await_move()
        client.sendall(b"and more")
        assert peer.recv(100) == b"unread and more"
        another = socket.socket(socket.AF_UNIX)
        another.connect("\\0ssi-compatibility")
        assert server.accept()
    """,
    "shared-memory": """
        memory = mmap.mmap(-1, 1 << 20)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(reader, 1)
            memory[0:5] = b"child"
            os._exit(7)
        memory[100:104] = b"keep"
        await_move()
        os.write(writer, b"x")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert memory[0:5] == b"child" and memory[100:104] == b"keep"
    """,
    "memfd": """
        file = os.memfd_create("kept")
        os.write(file, b"kept" * 10_000)
        view = mmap.mmap(file, 40_000)
        await_move()
        view[0:4] = b"seen"
        assert os.pread(file, 8, 0) == b"seenkept"
    """,
    "posix-timer": """
        libc = ctypes.CDLL(None, use_errno=True)
        ticks = []
        signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
        timer = ctypes.c_void_p()
        assert libc.timer_create(1, None, ctypes.byref(timer)) == 0
        spec = struct.pack("qqqq", 0, 20_000_000, 0, 20_000_000)
        assert libc.timer_settime(timer, 0, spec, None) == 0
        await_move()
        ticks.clear()
        until = time.monotonic() + 30
        while len(ticks) < 10 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(ticks) >= 10
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # it still ticks when Python ends
    """,
    "interval-timer": """
        ticks = []
        signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        await_move()
        ticks.clear()
        until = time.monotonic() + 30
        while len(ticks) < 10 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(ticks) >= 10
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # it still ticks when Python ends
    """,
    "tcp-listener": """
        server = socket.create_server(("127.0.0.1", 17171))
        await_move()
        client = socket.create_connection(("127.0.0.1", 17171), timeout=30)
        peer, _ = server.accept()
        peer.sendall(b"hello")
        assert client.recv(5) == b"hello"
        client.close()
    """,
    "tcp6-listener": """
        server = socket.create_server(("::1", 17172), family=socket.AF_INET6)
        await_move()
        client = socket.create_connection(("::1", 17172), timeout=30)
        assert server.accept()
    """,
    "udp-socket": """
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 17173))
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect(("127.0.0.1", 17173))
        await_move()
        client.send(b"hello")
        server.settimeout(30)
        assert server.recv(5) == b"hello"
    """,
    "pidfd": """
        child = os.fork()
        if child == 0:
            signal.pause()
        watched = os.pidfd_open(child)
        await_move()
        signal.pidfd_send_signal(watched, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    """,
    "zombie": """
        child = os.fork()
        if child == 0:
            os._exit(5)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        await_move()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    """,
    "signal-handlers-and-mask": """
        told = []
        signal.signal(signal.SIGUSR1, lambda *_: told.append(1))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        os.kill(os.getpid(), signal.SIGUSR1)
        await_move()
        assert not told
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        assert told == [1]
    """,
    "multiprocessing-pool": """
        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map(abs, range(-10, 0)) == list(range(10, 0, -1))
            await_move()
            assert pool.map(abs, range(-10, 0)) == list(range(10, 0, -1))
    """,
    "asyncio-loop": """
        import asyncio
        async def main():
            ticks = 0
            async def tick():
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.01)
                    ticks += 1
            task = asyncio.create_task(tick())
            await asyncio.to_thread(await_move)
            ticks = 0
            child = await asyncio.create_subprocess_exec("true")
            assert await child.wait() == 0
            await asyncio.sleep(0.2)
            task.cancel()
            assert ticks
        asyncio.run(main())
    """,
    "limits-and-priority": """
        resource.setrlimit(resource.RLIMIT_NOFILE, (333, 444))
        os.nice(3)
        await_move()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (333, 444)
        assert os.nice(0) == 3
    """,
    "umask-and-directory": """
        os.umask(0o027)
        os.chdir("/usr/lib")
        await_move()
        assert os.umask(0) == 0o027 and os.getcwd() == "/usr/lib"
    """,
    "file-locks": """
        file = os.memfd_create("locked")
        os.write(file, b"x" * 100)
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX, 10, 20)
        await_move()
        again = os.open(f"/proc/self/fd/{file}", os.O_RDWR)
        try:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            raise AssertionError("flock is free")
        child = os.fork()
        if child == 0:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 25)
            except BlockingIOError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    """,
}

PROLOGUE = """
import ctypes, fcntl, mmap, multiprocessing, os, resource, select, signal, socket, struct
import sys, time
def await_move():
    print("ready", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def pair(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair_on(lab, tmp_path_factory.mktemp("wheels")) as pair:
        yield pair


@pytest.mark.parametrize("name", OBJECTS)
def test_object_is_the_same_after_two_hops(pair: Pair, name: str) -> None:
    shim = pair.here.shim()
    program = PROLOGUE + textwrap.dedent(OBJECTS[name]) + 'print("same")\n'
    shim.start("python3", "-c", program)
    shim.read_until(b"ready\n")
    shim = pair.hop(shim, 2)
    shim.write(b"\n")
    shown = shim.read_all(offset=6)
    assert (shown, shim.read_all("stderr")) == (b"same\n", b"")
    assert shim.status(PATIENCE_S).exit_status == 0


@pytest.mark.parametrize("name", ["deleted-file", "socketpair", "tcp-listener", "shared-memory"])
def test_object_of_an_ordinary_user_is_the_same_too(pair: Pair, name: str) -> None:
    shim = pair.here.shim()
    program = PROLOGUE + textwrap.dedent(OBJECTS[name]) + 'print("same")\n'
    shim.start("python3", "-c", program, account=ADA)
    shim.read_until(b"ready\n")
    shim = pair.hop(shim, 2)
    shim.write(b"\n")
    shown = shim.read_all(offset=6)
    assert (shown, shim.read_all("stderr")) == (b"same\n", b"")


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
client.connect("/run/compat-served")
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
