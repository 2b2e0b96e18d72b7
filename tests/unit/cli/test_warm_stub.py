"""Which commands the stub hands over, and to whom: the Perl program itself, as a process.

Where it turns into the full program, it tells that where it looked for a warm process; what stands
for the full program here prints it.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import ssi.cli
from ssi.cli.main import COMMANDS
from ssi.cli.warm import NEVER_WARM
from ssi.cli.warm import request as wire

HERE = Path(ssi.cli.__file__).parent
STUB = HERE / "stub.pl"
TIMEOUT_S = 60
FULL_PROGRAM = ("/bin/sh", "-c", 'printf %s "${SSI_WARM_SOCKET-none}"', "sh")


@pytest.fixture
def home() -> Iterator[Path]:
    # The temporary directories of pytest are too long for the path of a socket.
    with TemporaryDirectory(prefix="ssi-") as path:
        yield Path(path)


def looked_at(home: Path, *words: str, **environment: str) -> str:
    """The socket at which a warm process was looked for; none where none can carry it out."""
    return run(["/bin/ssi", str(len(FULL_PROGRAM)), *FULL_PROGRAM, *words], home, environment)


def run(words: list[str], home: Path, environment: Mapping[str, str], start: str = "") -> str:
    command = [start] if start else ["/usr/bin/perl", "-f", "-C0", str(STUB)]
    done = subprocess.run(
        [*command, *words],
        env={"HOME": str(home), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout.decode()


def test_all_of_it_compiles_under_strict_and_without_a_warning() -> None:
    begin, end = STUB.read_text().split("\n__END__\n")
    done = subprocess.run(
        ["/usr/bin/perl", "-Mstrict", "-Mwarnings", "-c"],
        input=f"{begin}\nclose DATA;{end}".encode(),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert done.stderr.decode() == "- syntax OK\n"


def test_it_loads_no_module() -> None:
    assert not re.search(r"^\s*(use|require)\b", STUB.read_text(), re.MULTILINE)


def test_every_command_is_either_warm_or_never_warm(home: Path) -> None:
    warm = {name for name in COMMANDS if looked_at(home, name) != "none"}
    assert warm.isdisjoint(NEVER_WARM)
    assert COMMANDS.keys() == warm | NEVER_WARM


@pytest.mark.parametrize(
    ("line", "warm"),
    [
        ("ps -t", True),
        ("run true", True),
        ("run -n n1 -- ls -t", True),
        ("run -t -- top", False),
        ("run --tty -- top", False),
        ("run -dt -- top", False),
        ("lab ssh n1", False),
        ("--help", False),
        ("never", False),
        ("", False),
    ],
)
def test_commands_that_need_the_terminal_are_not_handed_over(
    line: str, warm: bool, home: Path
) -> None:
    assert (looked_at(home, *line.split()) != "none") is warm


def test_the_socket_is_below_a_directory_that_others_cannot_change(home: Path) -> None:
    folders = {f"{home}/.local/state/ssi/warm", "/run/ssi/warm"}
    assert os.path.dirname(looked_at(home, "ps")) in folders
    home.chmod(0o777)
    assert os.path.dirname(looked_at(home, "ps")) in {"", "/run/ssi/warm"}


def test_a_session_directory_comes_first(home: Path) -> None:
    session = home / "session"
    session.mkdir(mode=0o700)
    folders = {f"{session}/ssi/warm", "/run/ssi/warm"}
    assert os.path.dirname(looked_at(home, "ps", XDG_RUNTIME_DIR=str(session))) in folders


def test_another_language_is_another_world_but_an_unset_one_is_no_variable(home: Path) -> None:
    path = looked_at(home, "ps")
    assert path == looked_at(home, "nodes") == looked_at(home, "ps", LC_ALL="")
    assert path != looked_at(home, "ps", LC_ALL="C.UTF-8")


def test_another_python_is_another_world(home: Path, tmp_path: Path) -> None:
    python = tmp_path / "python3"
    paths: set[str] = set()
    for text in ("one", "two"):
        python.unlink(missing_ok=True)
        python.write_text(f'#!/bin/sh\n# {text}\nprintf %s "$SSI_WARM_SOCKET"\n')
        python.chmod(0o755)
        os.utime(python, (len(paths), len(paths)))
        paths.add(run(["/bin/ssi", "1", str(python), "ps"], home, {}))
    assert len(paths) == 2


def test_a_path_that_is_too_long_for_a_socket_is_none(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    path = looked_at(long, "ps")
    assert path == "none" or path.startswith("/run/ssi/")


def test_what_it_sends_is_what_is_read_and_without_an_answer_the_full_program_runs(
    home: Path,
) -> None:
    environment = {"EMPTY": "", "B": "x=y", "NAME": "grün"}
    path = Path(looked_at(home, "ps", "", "ü", **environment))
    path.parent.mkdir(parents=True, exist_ok=True)
    received: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_receive, args=(listener, received))
        thread.start()
        try:
            assert looked_at(home, "ps", "", "ü", **environment) == str(path)
        finally:
            path.unlink()
            thread.join(TIMEOUT_S)
    (sent,) = received
    assert wire.body_length(sent) == len(sent) - wire.LENGTH_BYTES
    request = wire.parse_body(sent[wire.LENGTH_BYTES :])
    assert request.words == ("/bin/ssi", "ps", "", "ü")
    expected = {"HOME": str(home), **environment}
    assert request.environment == {k.encode(): v.encode() for k, v in expected.items()}


def _receive(listener: socket.socket, received: list[bytes]) -> None:
    """Takes a request, and ends the connection without an answer."""
    listener.settimeout(TIMEOUT_S)
    connection, _ = listener.accept()
    with connection:
        received.append(connection.recv(64 * 1024))


LAUNCHER = """#!/bin/sh
ssi_command=$0
ssi_python={home}/python3
ssi_library={library}
. {launch}
"""
PYTHON = r"""#!/bin/sh
printf '%s|' "${SSI_WARM_SOCKET-none}" "${PERL_BADLANG-unset}" "$@"
"""


@pytest.fixture
def command(home: Path) -> str:
    (home / "python3").write_text(PYTHON)
    library = HERE.parents[1]
    (home / "ssi").write_text(
        LAUNCHER.format(home=home, library=library, launch=HERE / "launch.sh")
    )
    for name in ("python3", "ssi"):
        (home / name).chmod(0o755)
    return str(home / "ssi")


def test_the_launcher_passes_every_word_and_leaves_nothing_in_the_environment(
    command: str, home: Path
) -> None:
    environment = {
        "XDG_RUNTIME_DIR": "/tmp",
        "LC_ALL": "xx_XX.UTF-8",
    }  # of which Perl would complain
    words = run(["ps", "a b", ""], home, environment, start=command).split("|")
    assert words[0] != "none"
    assert words[1:4] == ["unset", "-I", "-c"]
    assert words[5:] == [str(HERE.parents[1]), "ps", "a b", "", ""]


@pytest.mark.parametrize("name", ["SSI_COLD", "PERL5OPT"])
def test_the_launcher_does_without_the_stub(name: str, command: str, home: Path) -> None:
    words = run(["ps"], home, {name: "-MNone"}, start=command).split("|")
    assert words[0] == "none"
    assert words[-2] == "ps"
