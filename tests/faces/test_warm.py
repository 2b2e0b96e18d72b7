"""A command through the warm process is what it would be as a process of its own.

Real processes: an installation of its own in which ``ssi run -- CODE`` and ``ssi wait CODE`` run
Python code where the real ones would ask an agent.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faces.installation import TIMEOUT_S, WHO, Installation, children_of_any, state_of, until

NOBODY = 65534


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
    assert (done.stdout, done.stderr) == (b"99 %d True\n" % min(os.nice(0) + 5, 19), b"")
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
    until(lambda: len(children_of_any(ssi.warm_pids())) == 1)  # the spare one
    spare = children_of_any(ssi.warm_pids())
    status, _, err = ssi.do(*words, "pass")
    assert status == 2  # the probe knows no -t: what matters is who said so
    assert "no such option" in err
    assert children_of_any(ssi.warm_pids()) == spare


def test_a_warm_process_that_hangs_is_left_alone(hasty: Installation) -> None:
    pid = hasty.warm_up()
    os.kill(pid, signal.SIGSTOP)
    try:
        assert hasty.do("wait", "print('once')") == (0, "once\n", "")
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: hasty.do("wait", WHO)[1] == f"2 {pid}\n")


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
