"""A child is its command, or tells why not: sharing our memory, and as a fork that does not."""

from __future__ import annotations

import os
import select
import signal
import stat
from pathlib import Path

import pytest

from nodeagent.mechanism import libc
from nodeagent.mechanism.calls import Calls
from nodeagent.mechanism.closes import Listener
from nodeagent.shim.child import Launch, start_child
from nodeagent.shim.messages import Account
from ssi.model.errors import SsiError
from ssi.model.launch import CommandNotExecutable, CommandNotFound, CwdMissing, StartFailed

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forks beside threads

PATH = "/usr/bin:/bin"


def _cannot(*_: object) -> int:
    raise OSError


@pytest.fixture(autouse=True, params=["sharing our memory", "a fork that does not"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "sharing our memory":
        monkeypatch.setattr(Calls, "fork", _cannot)
    return str(request.param)


def _run(
    *argv: str,
    path: str = PATH,
    cwds: tuple[str, ...] = (),
    account: Account | None = None,
    root: str = "",
) -> tuple[int, str, SsiError | None]:
    """How it ended, as wait(2) tells it, what it printed, and why it was not executed."""
    output, writer = os.pipe()
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        launch = Launch(
            argv=argv,
            environment={"PATH": path, "WORD": "given"},
            stdio=(null, writer, writer),
            cwds=cwds,
            account=account,
            root=root,
        )
        child = start_child(launch)
    finally:
        os.close(null)
        os.close(writer)
    refusal = child.refusal()
    with os.fdopen(output) as printed:
        text = printed.read()
    return os.waitpid(child.pid, 0)[1], text, refusal


def _script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(stat.S_IRWXU)
    return str(path)


def test_command_has_its_words_environment_and_streams() -> None:
    status, text, refusal = _run("sh", "-c", 'echo "$0 $1 $WORD"; cat; exit 3', "a", "b c")
    assert (os.waitstatus_to_exitcode(status), text, refusal) == (3, "a b c given\n", None)


def test_command_leads_a_session_and_ignores_no_signal() -> None:
    words = (
        "read _ _ _ _ group session _ < /proc/$$/stat; echo $(($group == $$)) $(($session == $$))"
    )
    # By itself: a shell that has just started a program blocks all signals for a moment.
    masks = (
        "while read -r name mask; do case $name in SigBlk:|SigIgn:) echo $name $mask;; esac; done"
        " < /proc/$$/status"
    )
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        _, text, _ = _run("sh", "-c", f"{words}; {masks}")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert text.split()[:2] == ["1", "1"]
    assert text.split()[2::2] == ["SigBlk:", "SigIgn:"]
    assert [int(mask, 16) for mask in text.split()[3::2]] == [0, 0]


def test_command_starts_in_the_first_directory_that_lets_it_in(tmp_path: Path) -> None:
    cwds = (str(tmp_path / "missing"), str(tmp_path), "/")
    assert _run("sh", "-c", "echo $PWD; pwd -P", cwds=cwds)[1].split() == [str(tmp_path)] * 2


def test_no_directory_to_start_in_is_told(tmp_path: Path) -> None:
    refusal = _run("true", cwds=(str(tmp_path / "missing"),))[2]
    assert isinstance(refusal, CwdMissing)


def test_unknown_command_is_told(tmp_path: Path) -> None:
    assert isinstance(_run("nonesuch", path=f"{tmp_path}:{PATH}")[2], CommandNotFound)
    assert isinstance(_run("")[2], CommandNotFound)


def test_what_cannot_be_executed_is_told(tmp_path: Path) -> None:
    refusal = _run(str(tmp_path))[2]
    assert isinstance(refusal, CommandNotExecutable)
    assert refusal.reason == "Permission denied"
    refusal = _run(_script(tmp_path / "script", "#!/none/such\n"))[2]
    assert isinstance(refusal, CommandNotExecutable)
    assert refusal.reason == "its interpreter is missing"


def test_text_without_an_interpreter_is_a_script_of_the_shell(tmp_path: Path) -> None:
    _script(tmp_path / "text", 'echo "$0 $1"')
    _, text, refusal = _run("text", "b c", path=f"/none:{tmp_path}:{PATH}")
    assert (text, refusal) == (f"{tmp_path}/text b c\n", None)


def test_word_with_a_zero_byte_is_refused() -> None:
    with pytest.raises(OSError, match="zero byte"):
        _run("echo", "a\0b")


def test_surroundings_that_cannot_be_made_are_told(tmp_path: Path) -> None:
    refusal = _run("true", root=str(tmp_path / "missing"))[2]
    assert isinstance(refusal, StartFailed)
    assert refusal.step == "root"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_command_of_another_user_has_its_ids_and_leaves_ours_as_they_were() -> None:
    nobody = Account(user="nobody", uid=65534, gid=65534, groups=(65534, 5))
    before = libc.dumpable()
    _, text, refusal = _run("sh", "-c", "id -u; id -g; id -G", account=nobody)
    assert (text.split(), refusal) == (["65534", "65534", "65534", "5"], None)
    assert (os.geteuid(), libc.dumpable()) == (0, before)


def test_child_that_asks_has_what_it_closes_until_it_is_answered() -> None:
    null = os.open("/dev/null", os.O_RDWR)
    held, hold = os.pipe()
    words = ("sh", "-c", "exec 7</dev/null; exec 7<&-; exec 8</dev/null; kill -9 $$")
    launch = Launch(argv=words, environment={"PATH": PATH}, stdio=(null, null, null), asks=held)
    child = start_child(launch)
    descriptor = child.listener()
    assert descriptor is not None
    os.write(hold, b"\n")
    listener, heard = Listener(descriptor), []
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while poll.poll(30_000) == [(descriptor, select.POLLIN)]:  # and not that it has ended
        number = listener.hear()
        assert number is not None
        assert Path(f"/proc/{child.pid}/fd/{number}").is_symlink()
        heard.append(number)
        listener.answer()
    assert child.refusal() is None
    assert os.waitpid(child.pid, 0)[1] == signal.SIGKILL
    assert heard.count(7) == 1
    assert 8 not in heard, "its end is not asked about"
    for opened in (null, held, hold, descriptor):
        os.close(opened)
