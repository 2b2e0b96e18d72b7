"""A command through the warm process is what it would be as a process of its own.

Real processes: an installation of its own in which ``ssi run -- CODE`` and ``ssi wait CODE`` run
Python code where the real ones would ask an agent.
"""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60
PROBE = """
from typing import Annotated
import typer
def {name}(code: Annotated[list[str], typer.Argument()]) -> None:
    exec(code[0], {{"words": code[1:]}})
"""
WHO = "from ssi.cli.invocation import own_pids; import os; print(len(own_pids()), os.getppid())"
NOBODY = 65534


class Installation:
    """An installation of ssi with a home of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lib = root / "lib"
        self.home = root / "home"
        self.home.mkdir(parents=True)
        for package in ("ssi", "nodeagent", "shell", "tui"):
            shutil.copytree(ROOT / package, self.lib / package)
        for name in ("run", "wait"):
            (self.lib / "ssi/cli" / f"{name}.py").write_text(PROBE.format(name=name))
        python = Path(sys.executable).resolve()
        (root / "bin").mkdir()
        command = (ROOT / "bin/ssi").read_text()
        assert "ssi_library=\n" in command
        (root / "bin/ssi").write_text(
            command.replace("ssi_library=\n", f"ssi_library={self.lib}\n")
        )
        (root / "bin/ssi").chmod(0o755)
        (root / "bin/python3").symlink_to(python)
        (root / "pyvenv.cfg").write_text(f"home = {python.parent}\n")
        packages = root / f"lib/python3.{sys.version_info.minor}/site-packages"
        packages.parent.mkdir()
        packages.symlink_to(sysconfig.get_path("purelib"))

    @property
    def command(self) -> str:
        return str(self.root / "bin/ssi")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": f"{self.root}/bin:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
        }

    def start(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        settings: dict[str, object] = {
            "env": self.environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        }
        return subprocess.Popen([self.command, *words], **settings)  # type: ignore[call-overload, no-any-return]

    def do(self, *words: str, data: bytes | None = None, **options: object) -> tuple[int, str, str]:
        """Exit status, stdout and stderr of a command."""
        if data is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*words, **options)
        out, err = process.communicate(data, timeout=TIMEOUT_S)
        return process.returncode, out.decode(), err.decode()

    def sockets(self) -> list[Path]:
        found = list((self.home / ".local/state/ssi/warm").glob("[!.]*"))
        return [*found, *(Path("/run/ssi/warm").glob("[!.]*") if os.geteuid() == 0 else ())]

    def warm_pids(self) -> set[int]:
        """The warm processes of this installation that listen."""
        pids = set()
        for path in self.sockets():
            with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
                probe.connect(str(path))
                ucred = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                pid: int = struct.unpack("3i", ucred)[0]
                if str(self.root).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    pids.add(pid)
        return pids

    def warm_up(self) -> int:
        """A warm process that answers; its pid."""
        assert self.do("wait", "pass") == (0, "", "")
        return until(lambda: next(iter(self.warm_pids() if self.is_warm() else ()), 0))

    def is_warm(self) -> bool:
        return self.do("wait", WHO)[1].startswith("2 ")


def until(condition: Callable[[], int]) -> int:
    """What a condition gives as soon as it is something."""
    give_up_at_s = time.monotonic() + TIMEOUT_S
    while not (found := condition()):
        assert time.monotonic() < give_up_at_s, "it never came true"
        time.sleep(0.02)
    return found


def state_of(pid: int) -> str:
    """The letter of ps(1); empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@pytest.fixture(scope="module")
def shared() -> Iterator[Installation]:
    yield from _installed()


@pytest.fixture
def fresh() -> Iterator[Installation]:
    yield from _installed()


def _installed() -> Iterator[Installation]:
    # The temporary directories of pytest are too long for the path of a socket.
    with TemporaryDirectory(prefix="ssi-", ignore_cleanup_errors=True) as root:
        installation = Installation(Path(root))
        yield installation
        for pid in installation.warm_pids():
            os.kill(pid, signal.SIGKILL)
        until(lambda: not installation.warm_pids())


@pytest.fixture
def ssi(shared: Installation) -> Installation:
    """With a warm process that answers."""
    if not shared.warm_pids():
        shared.warm_up()
    return shared


def test_the_first_command_starts_a_warm_process_and_the_next_one_uses_it(
    fresh: Installation,
) -> None:
    assert fresh.do("wait", WHO)[1].startswith("1 ")
    until(fresh.is_warm)
    (pid,) = fresh.warm_pids()
    assert fresh.do("wait", WHO)[1] == f"2 {pid}\n"
    (path,) = fresh.sockets()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("status", [0, 3, 255])
def test_exit_status_is_that_of_the_command(ssi: Installation, status: int) -> None:
    assert ssi.do("wait", f"raise SystemExit({status})") == (status, "", "")


def test_an_exception_is_one_line_and_a_traceback_for_who_asks(ssi: Installation) -> None:
    status, out, err = ssi.do("wait", "raise RuntimeError('broken')")
    assert (status, out) == (70, "")
    assert err.count("\n") == 1 and "RuntimeError: broken" in err and err.endswith("[bug]\n")
    status, out, err = ssi.do("wait", "--debug", "raise RuntimeError('broken')")
    assert (status, out) == (70, "")
    assert err.startswith("Traceback") and "RuntimeError: broken\n" in err


def test_wrong_usage_has_status_2(ssi: Installation) -> None:
    status, out, err = ssi.do("wait", "--never")
    assert (status, out) == (2, "")
    assert "no such option: --never" in err


def test_streams_are_separate_and_binary_clean(ssi: Installation) -> None:
    data = os.urandom(300_000)
    code = (
        "import sys; d = sys.stdin.buffer.read(); sys.stdout.buffer.write(d);"
        "sys.stderr.buffer.write(d[::-1])"
    )
    process = ssi.start("run", "--", code, stdin=subprocess.PIPE)
    assert process.communicate(data, timeout=TIMEOUT_S) == (data, data[::-1])
    assert process.returncode == 0


def test_a_pipe_ends_with_the_command(ssi: Installation) -> None:
    process = ssi.start("run", "--", "print('x')", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read() == b"x\n"  # until the end of the file: nobody else holds it
    process.communicate(timeout=TIMEOUT_S)


def test_directory_environment_umask_and_time_zone_are_those_of_the_caller(
    ssi: Installation, tmp_path: Path
) -> None:
    code = (
        "import os, time; m = os.umask(0); print(os.getcwd(), oct(m), os.environ['COLOUR'],"
        " time.strftime('%H', time.localtime(0)), sorted(os.environ))"
    )
    environment = {**ssi.environment, "COLOUR": "grün", "TZ": "XYZ-5"}
    process = ssi.start("wait", code, env=environment, cwd=tmp_path, umask=0o027)
    out, err = process.communicate(timeout=TIMEOUT_S)
    names = sorted({*environment, "PWD"})  # sh sets PWD
    assert (out.decode(), err) == (f"{tmp_path} 0o27 grün 05 {names}\n", b"")


def test_a_directory_that_was_removed_is_no_obstacle(ssi: Installation, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    code = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); "
    gone.mkdir()
    runs = [sys.executable, "-c", code + "os.execv(os.sys.argv[1], os.sys.argv[1:])"]
    done = subprocess.run(
        [*runs, ssi.command, "wait", "import os; print(os.path.exists('.'))"],
        env=ssi.environment,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"True\n")


def test_limits_niceness_and_ignored_signals_are_those_of_the_caller(ssi: Installation) -> None:
    code = (
        "import os, resource, signal; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0],"
        " os.nice(0), signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    )
    line = f'ulimit -Sn 99; trap "" HUP; exec nice -n 5 {ssi.command} wait "$0"'
    done = subprocess.run(
        ["bash", "-c", line, code],
        env=ssi.environment,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"99 5 True\n", b"")
    assert ssi.do("wait", WHO)[1].startswith("2 ")


def test_long_command_lines_arrive_whole(ssi: Installation) -> None:
    words = [f"{number}:" + "ü" * 1000 for number in range(300)]
    code = "import hashlib; print(hashlib.sha256('\\n'.join(words).encode()).hexdigest())"
    import hashlib

    expected = hashlib.sha256("\n".join(words).encode()).hexdigest()
    assert ssi.do("wait", code, *words)[1] == f"{expected}\n"


def test_many_at_once_keep_apart(ssi: Installation) -> None:
    processes = [
        ssi.start("wait", f"import time; time.sleep(0.2); print({n}); raise SystemExit({n})")
        for n in range(20)
    ]
    for number, process in enumerate(processes):
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert (out, err, process.returncode) == (f"{number}\n".encode(), b"", number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_the_command_and_the_stub_dies_of_the_same(
    ssi: Installation, number: signal.Signals
) -> None:
    process, child = _sleeping(ssi)
    process.send_signal(number)
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == -number
    until(lambda: state_of(child) == "")


def test_an_interrupt_is_one_for_the_command(ssi: Installation) -> None:
    process, _ = _sleeping(ssi)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130


def test_a_command_may_handle_the_signal(ssi: Installation) -> None:
    code = "signal.signal(signal.SIGTERM, lambda *_: (print('handled'), exit(7)))"
    process, _ = _sleeping(ssi, code)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=TIMEOUT_S)
    assert (out, process.returncode) == (b"handled\n", 7)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1])
def test_a_command_that_a_signal_killed_takes_the_stub_along(
    ssi: Installation, number: signal.Signals
) -> None:
    process, child = _sleeping(ssi)
    os.kill(child, number)
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == -number


def test_a_killed_stub_hangs_up_its_command(ssi: Installation) -> None:
    process, child = _sleeping(ssi)
    process.kill()
    until(lambda: state_of(child) == "")
    process.communicate(timeout=TIMEOUT_S)


def test_a_killed_stub_ends_a_command_that_ignores_hang_ups(ssi: Installation) -> None:
    process, child = _sleeping(ssi, "signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    until(lambda: state_of(child) == "")


def _sleeping(
    installation: Installation, before: str = "pass"
) -> tuple[subprocess.Popen[bytes], int]:
    """A command that sleeps, and the process in which it does."""
    # Short naps: Python forgets an interrupt that comes just before it blocks.
    nap = "any(time.sleep(0.05) for _ in iter(int, 1))"
    code = f"import os, signal, time; {before}; os.write(1, b'%d\\n' % os.getpid()); {nap}"
    # An orphaned process group, which the whole test run may be, is never stopped (setpgid(2)).
    process = installation.start("wait", code, process_group=0)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_stop_and_continue_reach_the_command(ssi: Installation) -> None:
    process, child = _sleeping(ssi)
    process.send_signal(signal.SIGTSTP)
    until(lambda: state_of(process.pid) == "T" and state_of(child) == "T")
    process.send_signal(signal.SIGCONT)
    until(lambda: state_of(process.pid) == "S" and state_of(child) == "S")
    process.terminate()
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == -signal.SIGTERM


def test_job_control_of_a_real_shell(ssi: Installation) -> None:
    code = "import os; print(f'pid={os.getpid()}.', flush=True); print('got', input()); exit(6)"
    with Terminal(ssi) as terminal:
        terminal.type("PS1= ; set -b\n")  # tell at once when a job stops
        terminal.type(f'ssi run -- "{code}"\n')
        child = int(terminal.read_until("pid=", ".\r\n"))
        assert child in _children_of_any(ssi.warm_pids())
        terminal.type("\x1a")
        terminal.read_until("", "Stopped")
        assert state_of(child) == "T"
        terminal.type("bg\n")  # it waits for the terminal, so the kernel stops it again
        terminal.read_until("", "Stopped")
        assert state_of(child) == "T"
        terminal.type("fg\n")
        until(lambda: state_of(child) == "S")
        terminal.type("hello\n")
        terminal.read_until("", "got hello")
        terminal.type("echo status=$?.\n")
        assert terminal.read_until("status=", ".\r\n") == "6"
        terminal.type(f'ssi run -- "{code}"\n')
        child = int(terminal.read_until("pid=", ".\r\n"))
        # Python itself forgets a signal that comes just before it blocks (reading here).
        until(lambda: state_of(child) == "S")
        terminal.type("\x03")
        until(lambda: state_of(child) == "")  # ^C also throws away what was typed before it
        terminal.type("echo status=$?.\n")
        assert terminal.read_until("status=", ".\r\n") == "130"


def _children_of_any(parents: set[int]) -> set[int]:
    children = set()
    for parent in parents:
        text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        children |= {int(pid) for pid in text.split()}
    return children


class Terminal:
    """An interactive bash on a terminal."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._unread = ""

    def __enter__(self) -> Terminal:
        self._pid, self._descriptor = pty.fork()
        if self._pid == 0:
            words = ["bash", "--norc", "--noediting", "-i"]
            os.execvpe("bash", words, self._installation.environment)
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.close(self._descriptor)
        os.waitpid(self._pid, 0)

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def read_until(self, before: str, after: str) -> str:
        """What is shown between two texts; what the terminal echoes of quoted code is no match."""
        give_up_at_s = time.monotonic() + TIMEOUT_S
        while True:
            start = self._unread.find(before)
            middle, ended, rest = self._unread[start + len(before) :].partition(after)
            if start >= 0 and ended and "{" not in middle and "$" not in middle:
                self._unread = rest
                return middle
            if start >= 0 and ended:  # the echo
                self._unread = self._unread[start + 1 :]
                continue
            assert time.monotonic() < give_up_at_s, self._unread
            if select.select([self._descriptor], [], [], 1)[0]:
                self._unread += os.read(self._descriptor, 4096).decode()


def test_a_reader_in_the_background_gets_a_process_of_its_own(ssi: Installation) -> None:
    with Terminal(ssi) as terminal:
        terminal.type("PS1=\n")
        code = "from ssi.cli.invocation import own_pids; print(f'count={len(own_pids())}.')"
        terminal.type(f'ssi run -- "{code}" &\n')
        assert terminal.read_until("count=", ".\r\n") == "1"


@pytest.mark.parametrize(
    ("number", "statuses"),
    [(signal.SIGTERM, {-signal.SIGTERM}), (signal.SIGINT, {-signal.SIGINT, 130})],
)
def test_a_signal_at_any_moment_ends_the_command_and_none_is_lost(
    ssi: Installation, number: signal.Signals, statuses: set[int]
) -> None:
    for step in range(40):
        code = "import time\nwhile True: time.sleep(0.01)"
        process = ssi.start("wait", code, process_group=0)
        time.sleep(step / 2000)  # from before its start to behind it
        process.send_signal(number)
        assert process.communicate(timeout=TIMEOUT_S) == (b"", b"")
        assert process.returncode in statuses
    until(lambda: len(_children_of_any(ssi.warm_pids())) <= 1)  # the spare one


def test_the_mask_and_dispositions_of_signals_are_those_of_the_caller(ssi: Installation) -> None:
    code = (
        "import os, signal; print(len(own()), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),"
        " [n.name for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN])"
    )
    script = (
        "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2,"
        " signal.SIGTERM]); os.execv(sys.argv[1], sys.argv[1:])"
    )
    code = f"from ssi.cli.invocation import own_pids as own; {code}"
    words = [sys.executable, "-c", script, ssi.command, "wait", code]
    done = subprocess.run(
        words, env=ssi.environment, capture_output=True, timeout=TIMEOUT_S, check=False
    )
    blocked = [signal.SIGUSR2, signal.SIGTERM]
    assert done.stdout.decode() == f"2 {blocked} ['SIGPIPE', 'SIGXFSZ']\n"


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_with_a_closed_descriptor_the_full_program_runs(
    ssi: Installation, descriptor: int, tmp_path: Path
) -> None:
    where = tmp_path / "said"
    code = f"{WHO.partition(';')[0]}; open({str(where)!r}, 'w').write(str(len(own_pids())))"
    line = f'exec "$0" wait "$1" {descriptor}>&-'
    subprocess.run(
        ["sh", "-c", line, ssi.command, code], env=ssi.environment, timeout=TIMEOUT_S, check=True
    )
    assert where.read_text() == "1"


def test_without_a_warm_process_or_with_cold_asked_for_the_full_program_runs(
    ssi: Installation,
) -> None:
    environment = {**ssi.environment, "SSI_COLD": "1"}
    assert ssi.do("wait", WHO, env=environment)[1].startswith("1 ")


@pytest.mark.parametrize("words", [("run", "-t", "--"), ("run", "--tty", "--")])
def test_a_command_that_needs_the_terminal_has_a_process_of_its_own(
    ssi: Installation, words: tuple[str, ...]
) -> None:
    until(lambda: len(_children_of_any(ssi.warm_pids())) == 1)  # the spare one
    spare = _children_of_any(ssi.warm_pids())
    status, _, err = ssi.do(*words, "pass")
    assert status == 2  # the probe knows no -t: what matters is who said so
    assert "no such option" in err
    assert _children_of_any(ssi.warm_pids()) == spare


def test_a_warm_process_that_hangs_is_left_alone(ssi: Installation) -> None:
    (pid,) = ssi.warm_pids()
    os.kill(pid, signal.SIGSTOP)
    try:
        assert ssi.do("wait", "print('once')") == (0, "once\n", "")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert ssi.do("wait", WHO)[1].startswith("2 ")


def test_new_code_on_the_disk_is_what_runs(fresh: Installation) -> None:
    old = fresh.warm_up()
    module = fresh.lib / "ssi/cli/wait.py"
    module.write_text(module.read_text().replace("exec(", "print('new'); exec("))
    assert fresh.do("wait", WHO)[1].startswith("new\n1 ")
    until(lambda: state_of(old) in {"", "Z"})
    until(lambda: fresh.do("wait", WHO)[1].startswith("new\n2 "))


def test_without_its_code_a_warm_process_ends_and_leaves_nothing(fresh: Installation) -> None:
    pid = fresh.warm_up()
    sockets = fresh.sockets()
    shutil.rmtree(fresh.lib / "ssi")
    until(lambda: state_of(pid) in {"", "Z"})
    assert not any(path.exists() for path in sockets)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user: needs root")


@needs_root
def test_without_perl_the_full_program_runs(ssi: Installation) -> None:
    line = 'mount --bind /dev/null /usr/bin/perl && exec "$0" wait "$1"'
    words = ["unshare", "--mount", "sh", "-c", line, ssi.command, WHO]
    done = subprocess.run(
        words, env=ssi.environment, capture_output=True, timeout=TIMEOUT_S, check=True
    )
    assert done.stdout.startswith(b"1 ")
    assert done.stderr == b""


@needs_root
def test_another_user_is_refused(ssi: Installation) -> None:
    (path,) = [path for path in ssi.sockets() if str(ssi.home) in str(path)] or ssi.sockets()
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(path))  # as one who got by the directory's mode
            os.setuid(NOBODY)
        with socket.socket(socket.AF_UNIX) as stranger:
            try:
                stranger.connect(str(path))
                there.send(b"connected")
            except PermissionError:
                there.send(b"refused")
        os._exit(0)
    os.waitpid(pid, 0)
    assert here.recv(16) == b"refused"
    here.close()
    there.close()


@needs_root
def test_a_socket_of_another_user_is_not_trusted(fresh: Installation) -> None:
    fresh.warm_up()
    (path,) = [path for path in fresh.sockets() if str(fresh.home) in str(path)]
    for pid in fresh.warm_pids():
        os.kill(pid, signal.SIGKILL)
    path.unlink()
    stranger = socket.socket(socket.AF_UNIX)
    pid = os.fork()
    if pid == 0:
        stranger.bind(str(path))
        os.setuid(NOBODY)
        stranger.listen()
        connection, _ = stranger.accept()
        connection.recv(1)
        os._exit(0 if not connection.recv(1) else 1)
    until(lambda: path.exists() and state_of(pid) == "S")
    assert fresh.do("wait", WHO)[1].startswith("1 ")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "it was told something"
    stranger.close()


@needs_root
def test_another_namespace_is_another_world(ssi: Installation) -> None:
    done = subprocess.run(
        ["unshare", "--net", ssi.command, "wait", WHO],
        env={**ssi.environment},
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert done.stdout.startswith(b"1 ")
