"""Shims on this machine: how jobs start, talk, end and are left alone."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.shim.log import truncation_note
from nodeagent.shim.messages import Account, Renew
from nodeagent.shim.messages import Ok as ShimOk
from ssi.model.job import StreamName
from ssi.model.launch import CommandNotExecutable, CommandNotFound, CwdMissing
from ssi.model.shim import NotMovable, WrongStage
from tests.hosts.shim_client import ENVIRONMENT, ShimClient, ShimHost
from tests.hosts.system import PATIENCE_S, eventually

NOBODY = Account(user="nobody", uid=65534, gid=65534, groups=(65534,))


@pytest.fixture
def own_shim(shim_host: ShimHost) -> Iterator[ShimClient]:
    client = shim_host.shim()
    yield client
    client.finish()


def wait_until_gone(path: Path) -> None:
    eventually(lambda: not path.exists(), what=f"{path} to go", every_s=0.02)


def left_behind(go: Path) -> str:
    """What a job leaves in the background until it is told to go; its shim stays as long."""
    return f"(until [ -e {go} ]; do sleep 0.05; done) >/dev/null 2>&1 &"


def memory_bytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(field)


def test_three_streams_are_apart_and_the_status_is_the_commands(shim: ShimClient) -> None:
    status = shim.start("sh", "-c", "cat; echo problem >&2; exit 7")
    assert (status.stage, status.exit_status) == ("running", None)
    shim.write(b"\0\xffraw\r\n", end=True)
    assert shim.read_all() == b"\0\xffraw\r\n"
    assert shim.read_all("stderr") == b"problem\n"
    assert shim.status(PATIENCE_S).exit_status == 7
    shim.release()
    wait_until_gone(shim.directory / "shim.sock")


def test_signal_is_128_and_its_number(shim: ShimClient) -> None:
    status = shim.start("sleep", "100")
    os.kill(status.root_pid, signal.SIGTERM)
    assert shim.status(PATIENCE_S).exit_status == 143


def test_what_cannot_start_is_told_apart_and_the_shim_can_be_used_again(shim: ShimClient) -> None:
    with pytest.raises(CommandNotFound) as missing:
        shim.start("no-such-command-here")
    assert (missing.value.command, missing.value.exit_code) == ("no-such-command-here", 127)
    with pytest.raises(CommandNotExecutable) as text:
        shim.start("/etc/passwd")
    assert (text.value.reason, text.value.exit_code) == ("Permission denied", 126)
    with pytest.raises(CwdMissing) as cwd:
        shim.start("true", cwds=("/no/such", "/nor/such"))
    assert cwd.value.cwds == ["/no/such", "/nor/such"]
    shim.start("sh", "-c", "exit 3")
    assert shim.status(PATIENCE_S).exit_status == 3


def test_script_without_interpreter_is_told_as_such(shim: ShimClient, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(CommandNotExecutable) as caught:
        shim.start(str(script))
    assert "interpreter" in caught.value.reason


def test_text_without_interpreter_line_is_run_by_the_shell(
    shim: ShimClient, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$1"\n')
    script.chmod(0o755)
    shim.start(str(script), "spoken")
    assert shim.read_all() == b"spoken\n"


def test_first_directory_that_can_be_entered_is_taken(shim: ShimClient) -> None:
    shim.start("sh", "-c", "pwd; echo $PWD", cwds=("/no/such", "/usr", "/"))
    assert shim.read_all() == b"/usr\n/usr\n"


def test_job_inherits_no_descriptor_no_ignored_signal_and_a_sane_umask(shim: ShimClient) -> None:
    shim.start("sh", "-c", "ls /proc/self/fd; umask; grep -E 'SigIgn|SigBlk' /proc/self/status")
    lines = shim.read_all().decode().split("\n")
    assert lines[:5] == ["0", "1", "2", "3", "0022"]  # 3 is the folder that ls reads
    assert [int(line.split()[1], 16) for line in lines[5:7]] == [0, 0]


def test_job_sees_its_own_pids_and_runs_as_its_account(own_shim: ShimClient) -> None:
    own_shim.start(
        "sh",
        "-c",
        "echo $$; id -u; id -G; ls -d /proc/[0-9]*; touch /etc/x || true",
        account=NOBODY,
        pid_base=4999,
    )
    lines = own_shim.read_all().decode().split("\n")
    assert lines[:3] == ["5000", "65534", "65534"]
    assert "/proc/1" in lines
    assert "/proc/5000" in lines
    assert "/proc/2" not in lines
    assert b"Permission denied" in own_shim.read_all("stderr")


def test_environment_is_what_was_given_and_nothing_else(shim: ShimClient) -> None:
    shim.start("env", environment={"PATH": ENVIRONMENT["PATH"], "WORD": "a=b c"}, cwds=("/",))
    assert sorted(shim.read_all().decode().split("\n")) == sorted(
        ["", f"PATH={ENVIRONMENT['PATH']}", "PWD=/", "WORD=a=b c"]
    )


def test_reader_that_comes_again_gets_what_it_has_not_confirmed(shim: ShimClient) -> None:
    shim.start("sh", "-c", "echo one; echo two; sleep 100")
    assert shim.read_until(b"two\n") == b"one\ntwo\n"
    assert shim.read(offset=4).data == b"two\n"
    assert shim.read(offset=0, wait_s=0).offset == 4  # what was confirmed may be forgotten


def test_onlooker_takes_nothing_from_the_reader(shim: ShimClient) -> None:
    shim.start("sh", "-c", "echo one; sleep 100")
    shim.read_until(b"one\n")
    assert shim.read(offset=4, wait_s=0, peek=True).data == b""
    assert shim.read(offset=0).data == b"one\n"


def test_background_process_keeps_the_stream_and_not_the_status(shim: ShimClient) -> None:
    shim.start("sh", "-c", "(sleep 0.7; echo late) & echo early; exit 4")
    assert shim.status(PATIENCE_S).exit_status == 4
    assert shim.read_all() == b"early\nlate\n"


def test_what_a_job_leaves_behind_lives_on_after_a_release(own_shim: ShimClient) -> None:
    mark = own_shim.directory / "mark"
    own_shim.start("sh", "-c", f"(sleep 1; touch {mark}) >/dev/null 2>&1 & exit 0")
    assert own_shim.status(PATIENCE_S).exit_status == 0
    own_shim.release()
    eventually(mark.exists, what="it goes on")
    wait_until_gone(own_shim.directory / "shim.sock")


def test_a_hundred_megabytes_pass_both_ways_in_bounded_memory(shim: ShimClient) -> None:
    total = 100 * 1024 * 1024
    block = random.Random(7).randbytes(1 << 20)
    status = shim.start("cat")
    reader = shim.another()
    sent, received, peak = 0, 0, 0
    theirs = hashlib.sha256()
    while received < total:
        if sent < total:
            accepted = shim.write(block[sent % len(block) :], sent, wait_s=0)
            sent = accepted.offset
        data = reader.read(offset=received, wait_s=0.001)
        assert data.offset == received
        theirs.update(data.data)
        received += len(data.data)
        if received % (10 << 20) < len(data.data):
            peak = max(peak, memory_bytes(status.shim_pid, "Private_Dirty"))
    assert received == total
    assert theirs.digest() == hashlib.sha256(block * 100).digest()
    assert peak < 24 * 1024 * 1024
    shim.write(b"", total, end=True)
    assert shim.status(PATIENCE_S).exit_status == 0


def test_job_waits_for_a_reader_instead_of_filling_memory(shim: ShimClient) -> None:
    status = shim.start("sh", "-c", "head -c 20000000 /dev/zero; echo done >&2")
    assert shim.read("stderr", wait_s=1).data == b""
    assert memory_bytes(status.shim_pid, "Private_Dirty") < 16 * 1024 * 1024
    assert len(shim.read_all()) == 20_000_000
    assert shim.read_all("stderr") == b"done\n"


def test_writer_learns_that_the_job_reads_no_more(shim: ShimClient) -> None:
    shim.start("sh", "-c", "exec <&-; echo closed; sleep 100")
    shim.read_until(b"closed\n")
    first = shim.write(b"anybody there?")
    assert first.closed or shim.write(b"!", first.offset).closed


def test_detached_job_keeps_its_logs_and_ends_its_shim(shim: ShimClient, tmp_path: Path) -> None:
    go = tmp_path / "go"
    script = f"cat; echo out; echo err >&2; {left_behind(go)} exit 5"
    shim.start("sh", "-c", script, logs=str(tmp_path))
    assert shim.read_until(b"out\n") == b"out\n"
    assert shim.read_all() == b"out\n"
    go.touch()
    wait_until_gone(shim.directory / "shim.sock")
    assert (tmp_path / "stdout").read_bytes() == b"out\n"
    assert (tmp_path / "stderr").read_bytes() == b"err\n"
    told = json.loads((shim.directory / "exit.json").read_text())
    assert told["exit_status"] == 5
    assert abs(told["ended_ms"] / 1000 - time.time()) < 60


def test_detached_job_that_writes_too_much_runs_to_its_end(
    shim: ShimClient, tmp_path: Path
) -> None:
    shim.start(
        "sh", "-c", "head -c 5000000 /dev/zero; exit 6", logs=str(tmp_path), log_limit_bytes=1000
    )
    wait_until_gone(shim.directory / "shim.sock")
    assert (tmp_path / "stdout").read_bytes() == bytes(1000) + truncation_note(1000)
    assert json.loads((shim.directory / "exit.json").read_text())["exit_status"] == 6


def test_full_disk_does_not_stop_a_detached_job(shim_host: ShimHost, tmp_path: Path) -> None:
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)],
        check=True,
        timeout=PATIENCE_S,
    )
    try:
        shim = shim_host.shim()
        go = shim.directory / "go"
        script = f"head -c 5000000 /dev/zero; {left_behind(go)} exit 6"
        shim.start("sh", "-c", script, logs=str(tmp_path))
        assert b"No space left on device" in shim.read_all()
        go.touch()
        wait_until_gone(shim.directory / "shim.sock")
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True, timeout=PATIENCE_S)
    assert json.loads((shim.directory / "exit.json").read_text())["exit_status"] == 6


def test_job_without_a_client_is_told_to_hang_up(shim: ShimClient) -> None:
    started = time.monotonic()
    shim.start(
        "sh", "-c", "trap 'echo hung up; exit 9' HUP; while :; do sleep 0.1; done", lease_s=6
    )
    reader = shim.another()
    while time.monotonic() - started < 8:  # a Read renews the lease
        renewed = time.monotonic()  # or later
        reader.read("stderr", wait_s=0)
        time.sleep(0.1)
    assert shim.status().stage == "running"
    assert shim.status(PATIENCE_S).exit_status == 9
    assert time.monotonic() - renewed > 5.9


def test_disowned_job_goes_on_without_a_client(shim: ShimClient) -> None:
    shim.start("sh", "-c", "sleep 6; exit 8", lease_s=5)
    shim.ask(Renew(lease_s=0), ShimOk)
    assert shim.status(PATIENCE_S).exit_status == 8


def test_job_that_ignores_the_hang_up_is_killed(own_shim: ShimClient) -> None:
    own_shim.start("sh", "-c", "trap '' HUP; echo up; while :; do sleep 0.1; done")
    own_shim.read_until(b"up\n")
    own_shim.ask(Renew(lease_s=0.2), ShimOk)
    assert own_shim.status(PATIENCE_S).exit_status == 137


def test_orphans_are_reaped(own_shim: ShimClient) -> None:
    status = own_shim.start("sh", "-c", "for i in 1 2 3 4 5; do (sh -c : &) ; done; exec sleep 100")
    command = Path(f"/proc/{status.root_pid}/comm")
    eventually(lambda: command.read_text() == "sleep\n", what="it has made its orphans")
    # Orphans of the job belong to its first process, as long as that lives.
    os.kill(status.root_pid, signal.SIGKILL)
    own_shim.status(PATIENCE_S)
    children = Path(f"/proc/{status.shim_pid}/task/{status.shim_pid}/children")
    eventually(lambda: children.read_text() == "", what="all are reaped")


def test_empty_shim_has_nothing_to_read_and_may_go(shim: ShimClient) -> None:
    with pytest.raises(WrongStage):
        shim.read()
    with pytest.raises(WrongStage):
        shim.commit()
    shim.release()
    wait_until_gone(shim.directory / "shim.sock")


def test_ended_job_that_nobody_can_reach_keeps_no_shim(
    shim_host: ShimHost,
) -> None:
    shim = shim_host.shim()
    status = shim.start("true")
    assert shim.status(PATIENCE_S).stage == "exited"
    (shim.directory / "shim.sock").unlink()
    wait_until_gone(Path(f"/proc/{status.shim_pid}/fd/0"))


def test_running_job_cannot_be_released(shim: ShimClient) -> None:
    shim.start("sleep", "100")
    with pytest.raises(WrongStage) as caught:
        shim.release()
    assert caught.value.stage == "running"


def test_job_of_an_agent_without_root_cannot_move(shim_host: ShimHost) -> None:
    shim = shim_host.shim(namespaces=False)
    shim.start("sleep", "100")
    with pytest.raises(NotMovable):
        shim.dump("/nowhere")
    assert shim.status().stage == "running"


def test_killed_shim_takes_its_job_along(own_shim: ShimClient) -> None:
    status = own_shim.start("sleep", "100")
    os.kill(status.shim_pid, signal.SIGKILL)
    wait_until_gone(Path(f"/proc/{status.root_pid}/fd/0"))


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_long_poll_answers_as_soon_as_there_is_output(shim: ShimClient, stream: StreamName) -> None:
    shim.start("sh", "-c", "sleep 0.3; echo now; echo now >&2; sleep 100")
    before = time.monotonic()
    assert (shim.read(stream, wait_s=60).data, time.monotonic() < before + 30) == (b"now\n", True)
