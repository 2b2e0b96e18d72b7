"""Signals and terminals of a command through the warm process: as of a process of its own."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from tests.faces.installation import TIMEOUT_S, Installation, children_of_any, state_of, until


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
    assert process.returncode == -signal.SIGINT


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
        assert child in children_of_any(ssi.warm_pids())
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_moment_ends_the_command_and_none_is_lost(
    ssi: Installation, number: signal.Signals
) -> None:
    for step in range(40):
        code = "import time\nwhile True: time.sleep(0.01)"
        process = ssi.start("wait", code, process_group=0)
        time.sleep(step / 2000)  # from before its start to behind it
        process.send_signal(number)
        assert process.communicate(timeout=TIMEOUT_S) == (b"", b"")
        assert process.returncode == -number
    until(lambda: len(children_of_any(ssi.warm_pids())) <= 1)  # the spare one


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
