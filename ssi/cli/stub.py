"""What a person starts as ``ssi``: hands the command to the warm process, where there is one.

It stands in for the command before the shell: it stops, continues and ends as the command does.
Where no warm process answers, or where the command needs the terminal itself, it turns into the
full program. It has to start in the time of a bare interpreter, so it imports nothing that is not
built in. ``docs/adr/0005-warm-faces.md`` tells the decision, :mod:`ssi.cli.warm.request` the
protocol.
"""

# ruff: noqa: SLF001 - what the public modules wrap is all there is here

import _signal  # type: ignore[import-not-found]
import _socket
import posix
import sys

TYPE_CHECKING = False  # typing itself takes as long to import as all the rest
if TYPE_CHECKING:
    from typing import NoReturn

WARM = frozenset(
    (  # noqa: SIM905
        "ps nodes free uptime run jobs wait logs disown stop cont kill"
        " freeze thaw migrate checkpoint checkpoints restore clone adopt why cordon uncordon"
        " mount umount"
    ).split()
)
"""Commands that a warm process carries out. The others draw on the terminal itself, leave processes
behind or run for long, and get a process of their own."""

READS_STDIN = frozenset(["run"])
NAMESPACES = ("mnt", "net", "pid", "user", "uts", "ipc", "cgroup")
RELAYED = (
    _signal.SIGINT,
    _signal.SIGTERM,
    _signal.SIGHUP,
    _signal.SIGQUIT,
    _signal.SIGTSTP,
    _signal.SIGWINCH,
)

ACCEPT_TIMEOUT_S = 0.5
"""How long a warm process may take to accept a command before another way is taken."""

PROTOCOL = 1
"""Between this file and a warm process; others never meet. ssi/cli/warm/request.py tells it."""

MAX_SOCKET_PATH_BYTES = 107
OTHERS_WRITE = 0o002
FROM_LIBRARY = b"import sys; sys.path[:0] = sys.argv.pop(1).split(':'); import ssi.cli.__main__"
FAILED = 1

environment = posix.environ
words = [word.encode(sys.getfilesystemencoding(), "surrogateescape") for word in sys.argv]


def main(library: tuple[str, ...] = ()) -> "NoReturn":
    """Runs the command in the warm process, else as the full program.

    Args:
        library: Directories where packages are before all others, as on a node; empty where Python
            knows by itself where they are.
    """
    path = socket_path(library) if is_for_warm(sys.argv[1:]) else None
    connection = connect(path) if path else None
    signals = hand_over(connection) if connection else None
    if connection is None or signals is None:
        become_full(path, library)
    stand_in(connection, signals)


def is_for_warm(arguments: list[str]) -> bool:
    """Whether a warm process can carry out this command as well as the full program."""
    if not arguments or arguments[0] not in WARM or b"SSI_COLD" in environment:
        return False
    if arguments[0] not in READS_STDIN:
        return True
    for argument in arguments[1:]:
        if argument == "--":
            break
        if argument == "--tty" or (argument[:1] == "-" != argument[1:2] and "t" in argument):
            return False
    return not in_background()


def in_background() -> bool:
    """Whether the kernel would stop us for reading from the terminal."""
    try:
        return posix.tcgetpgrp(0) != posix.getpgrp()
    except OSError:  # stdin is no terminal, or not the one that controls us
        return False


def become_full(path: str | None, library: tuple[str, ...]) -> "NoReturn":
    """Turns into the full program, which starts a warm process at the path for the next time."""
    environment.pop(b"SSI_WARM_SOCKET", None)
    if path:
        environment[b"SSI_WARM_SOCKET"] = path.encode()
    program = [b"-m", b"ssi.cli"]
    if library:
        program = [b"-c", FROM_LIBRARY, ":".join(library).encode()]
    python = sys.executable.encode()
    posix.execve(python, [python, b"-I", *program, *words[1:]], environment)


def socket_path(library: tuple[str, ...] = ()) -> str | None:
    """The socket of the warm process that lives in the same world as we do; None for none.

    A world is one person with the same rights in the same namespaces and the same language, and one
    installation of ssi. Different worlds never share a warm process.
    """
    get = environment.get
    try:
        world = (
            PROTOCOL,
            library,
            sys.argv[0] if sys.argv[0][:1] == "/" else posix.getcwd() + "/" + sys.argv[0],
            sys.executable,
            sys.version,
            posix.uname().nodename,
            posix.getresuid(),
            posix.getresgid(),
            sorted(posix.getgroups()),
            [posix.readlink("/proc/self/ns/" + name) for name in NAMESPACES],
            get(b"LC_ALL") or get(b"LC_CTYPE") or get(b"LANG"),
        )
    except OSError:  # no /proc here
        return None
    number = 0xCBF29CE484222325  # FNV-1a: names a world among a few; guards nothing
    for byte in repr(world).encode():
        number = (number ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    directory = private_directory()
    path = f"{directory}/{number:016x}"
    return path if directory and len(path.encode()) <= MAX_SOCKET_PATH_BYTES else None


def private_directory() -> str:
    """A directory for sockets below one that nobody else can change; empty where there is none."""
    home = environment.get(b"HOME", b"").decode(errors="replace")
    session = environment.get(b"XDG_RUNTIME_DIR", b"").decode(errors="replace")
    places = [(session, "/ssi"), (home, "/.local/state/ssi")]
    if posix.geteuid() == 0:
        places.insert(0, ("/run/ssi", ""))
    for place, below in places:
        if place[:1] == "/":
            try:
                status = posix.stat(place)
            except OSError:
                continue
            if status.st_uid == posix.geteuid() and not status.st_mode & OTHERS_WRITE:
                return place + below + "/warm"
    return ""


def connect(path: str) -> _socket.socket | None:
    """A connection to the warm process; None where none listens, or where it is not ours."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        connection.connect(path)
    except OSError:
        return None
    peer = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    return connection if int.from_bytes(peer[4:8], sys.byteorder) == posix.geteuid() else None


def hand_over(connection: _socket.socket) -> int | None:
    """Gives the command away; the descriptor to write signals to, None where it is not accepted.

    Nothing runs before we say so, so a command that was not accepted in time never runs twice.
    """
    there, here = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
    for number in RELAYED:
        if _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, noted)
    _signal.set_wakeup_fd(here, warn_on_full_buffer=False)
    try:
        connection.settimeout(ACCEPT_TIMEOUT_S)
        connection.sendall(request())
        if connection.recv(1) == b"A":
            connection.settimeout(None)
            send_descriptors(connection, there)
            posix.close(there)
            return here
    except OSError:  # it ends, it hangs, or one of our descriptors is closed
        pass
    _signal.set_wakeup_fd(-1)
    take_back(there)
    return None


def request() -> bytes:
    """The words and the environment of this process."""
    settings = [name + b"=" + value for name, value in environment.items()]
    body = b"\0".join([b"%d" % len(words), *words, *settings])
    return len(body).to_bytes(4, "big") + body


def send_descriptors(connection: _socket.socket, signals: int) -> None:
    """Says go, and with it gives away what the command reads and writes, and where it is."""
    directory = posix.open(".", posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    numbers = (0, 1, 2, directory, signals)
    rights = b"".join(number.to_bytes(4, sys.byteorder) for number in numbers)
    connection.sendmsg([b"G"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    posix.close(directory)


def take_back(signals: int) -> None:
    """Suffers the signals that came while the command was nobody's."""
    try:
        for number in posix.read(signals, 16):
            suffer(number)
    except BlockingIOError:  # there are none
        return


def noted(number: int, frame: object) -> None:
    """Does nothing: the number has gone to the warm process before Python comes here."""


def stand_in(connection: _socket.socket, signals: int) -> "NoReturn":
    """Stops, continues and ends as the command does."""
    while True:
        message = connection.recv(2, _socket.MSG_WAITALL)
        if len(message) < 2:
            posix.write(2, b"ssi: its warm process died; whether the command was done is unknown\n")
            posix._exit(FAILED)
        kind, number = message[:1], message[1]
        if kind == b"X":
            posix._exit(number)
        _signal.set_wakeup_fd(-1)
        suffer(number)
        if kind == b"K":  # it was not enough to end us
            posix._exit(128 + number)
        if sys.argv[1] in READS_STDIN and posix.isatty(0):
            meet_terminal(signals)
        _signal.set_wakeup_fd(signals, warn_on_full_buffer=False)
        tell(signals, _signal.SIGCONT)


def suffer(number: int) -> None:
    """What the signal does by default; comes back when we are continued, or ignored it."""
    handler = _signal.getsignal(number)
    if number not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(number, _signal.SIG_DFL)
    posix.kill(posix.getpid(), number)
    if number in RELAYED:
        _signal.signal(number, handler)


def meet_terminal(signals: int) -> None:
    """Lets the kernel stop us, as any reader of the terminal, for as long as we are behind."""
    try:
        posix.read(0, 0)
    except OSError:  # it is no longer ours
        tell(signals, _signal.SIGHUP)


def tell(signals: int, number: int) -> None:
    """Passes a signal on to the command."""
    try:
        posix.write(signals, bytes([number]))
    except OSError:  # the warm process died, which its socket tells
        return
