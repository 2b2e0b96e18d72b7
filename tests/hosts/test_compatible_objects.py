"""What moves of all that the kernel keeps for a program: each object alone, looked at after.

The rows of docs/compatibility.md name these tests.
"""

from __future__ import annotations

import textwrap

import pytest

from tests.hosts.pair import Pair
from tests.hosts.shim_client import ADA
from tests.hosts.system import PATIENCE_S

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
        niceness = os.nice(3)
        await_move()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (333, 444)
        assert os.nice(0) == niceness >= 3
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
