"""Attributes that are said to be set before the server has them: nobody can tell, none is lost."""

from __future__ import annotations

import errno
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.hosts.system import PATIENCE_S, Ssi, eventually
from tests.hosts.test_files import place, python, sh
from tests.hosts.test_files_heal import patient, replace_worker

__all__ = ["place"]

COMPARED = """
import os, pwd, random, sys
dice, folders, root = random.Random(int(sys.argv[1])), sys.argv[2:4], os.geteuid() == 0
ada = pwd.getpwnam("ada")
owners = [(ada.pw_uid, -1), (-1, ada.pw_gid)]
if root: owners += [(0, 0), (ada.pw_uid, ada.pw_gid), (-1, 0)]
for folder in folders: os.makedirs(folder, exist_ok=True)
def shown(found, has_time):
    times = [found.st_mtime_ns, found.st_atime_ns] if has_time else []
    return found.st_mode, found.st_uid, found.st_gid, found.st_nlink, found.st_size, *times
def both(do, *words):
    one, other = (do(each, *words) for each in (0, 1))
    assert one == other, (trail, one, other)
class Both:
    def __init__(self, name):
        self.paths = [f"{folder}/{name}" for folder in folders]
        mode = dice.choice([0o600, 0o644, 0o755])
        self.open = [os.open(each, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode) for each in self.paths]
        self.has_time, self.links = False, 0
    def write(self):
        at, size = dice.randrange(9000), dice.choice([1, 700, 5000, 70000])
        block = dice.randbytes(size)
        both(lambda each: os.pwrite(self.open[each], block, at))
        self.has_time = False
    def mode(self):
        mode = dice.choice([0o600, 0o755, 0o640, 0o4755, 0o2755, 0o6711])
        both(lambda each: os.fchmod(self.open[each], mode))
    def mode_of_path(self):
        mode = dice.choice([0o600, 0o4755])
        both(lambda each: os.chmod(self.paths[each], mode))
    def owner(self):
        owner = dice.choice(owners)
        both(lambda each: os.fchown(self.open[each], *owner))
    def times(self):
        ns = dice.randrange(1 << 60), dice.randrange(1 << 60)
        both(lambda each: os.utime(self.open[each], ns=ns))
        self.has_time = True
    def now(self):
        both(lambda each: os.utime(self.open[each]))
        self.has_time = False
    def cut(self):
        size = dice.choice([0, 100, 40000])
        both(lambda each: os.ftruncate(self.open[each], size))
        self.has_time = False
    def look(self): both(lambda each: shown(os.fstat(self.open[each]), self.has_time))
    def look_by_path(self): both(lambda each: shown(os.stat(self.paths[each]), self.has_time))
    def listed(self):
        def found(each):
            name = os.path.basename(self.paths[each])
            (entry,) = [entry for entry in os.scandir(folders[each]) if entry.name == name]
            return shown(entry.stat(), self.has_time)
        both(found)
    def end(self): both(lambda each: os.lseek(self.open[each], 0, os.SEEK_END))
    def append(self):
        def appended(each):
            descriptor = os.open(self.paths[each], os.O_WRONLY | os.O_APPEND)
            try: return os.write(descriptor, b"appended"), os.fstat(descriptor).st_size
            finally: os.close(descriptor)
        both(appended)
        self.has_time = False
    def read(self):
        both(lambda each: os.pread(self.open[each], 80000, 0))
        if self.has_time: both(lambda each: os.utime(self.open[each], ns=(1, 1)))
    def duplicate(self): both(lambda each: os.close(os.dup(self.open[each])))
    def sync(self): both(lambda each: os.fsync(self.open[each]))
    def link(self):
        self.links += 1
        both(lambda each: os.link(self.paths[each], f"{self.paths[each]}-{self.links}"))
    def rename(self):
        both(lambda each: os.rename(self.paths[each], self.paths[each] + "r"))
        self.paths = [each + "r" for each in self.paths]
    def close(self):
        both(lambda each: os.close(self.open[each]))
        both(lambda each: shown(os.stat(self.paths[each]), self.has_time))
settings = ["mode", "owner", "times", "now", "mode", "owner", "times", "write"]
others = ["mode_of_path", "cut", "look", "look_by_path", "listed", "end", "append", "read",
          "duplicate", "sync", "link", "rename"]
for number in range(int(sys.argv[4])):
    file, trail = Both(f"f{number}"), []
    for _ in range(dice.randrange(12)):
        trail.append(dice.choice(settings if dice.random() < 0.7 else others))
        getattr(file, trail[-1])()
    trail.append("close")
    file.close()
print("alike")
"""
"""The same on a local file system and on a mount; whatever is looked at must be alike."""

DEEDS = """
import json, os, sys
path = sys.argv[1]
proof = os.open(path + "-proof", os.O_WRONLY | os.O_CREAT)
def time(file): os.utime(file, ns=(5, 7))
def deeds(file): time(file); os.fchown(file, 0, 0); os.fchmod(file, 0o640)
deeds(proof)
os.close(proof)
file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
print("ready", flush=True)
for line in sys.stdin:
    told = 0
    try: {"set": deeds, "time": time, "close": os.close}[line.strip()](file)
    except OSError as exc: told = exc.errno
    print(json.dumps(told), flush=True)
"""
"""Sets attributes of a file that it has made, and closes it, when it is told to.

Of those that it sets one after the other, all that come 20 ms after the first wait for the server:
``time`` is a single one.
"""

STAT = "stat -c '%a %U %G %Y'"


@contextmanager
def setting(ssi: Ssi, path: str) -> Iterator[subprocess.Popen[str]]:
    command = ssi.host("n1").ssh_command("python3", "-c", DEEDS, path)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
            yield program
        finally:
            program.communicate(timeout=PATIENCE_S)


def tell(program: subprocess.Popen[str], deed: str) -> None:
    assert program.stdin is not None
    program.stdin.write(f"{deed}\n")
    program.stdin.flush()


def heard(program: subprocess.Popen[str]) -> int:
    assert program.stdout is not None
    line = program.stdout.readline()
    assert line, "the program has ended"
    return int(line)


@pytest.mark.parametrize("user", ["root", "ada"])
def test_files_that_are_made_are_as_on_a_local_file_system(ssi: Ssi, place: str, user: str) -> None:
    for seed in ("1", "2"):
        words = (seed, f"/srv/local/{seed}", f"{place}/{seed}", "150")
        sh(ssi, "n1", "rm -rf /srv/local && mkdir -m 1777 /srv/local")
        assert python(ssi, "n1", COMPARED, *words, user=user) == "alike\n"
        listed = "%P %m %U %G %s\\n"
        here = sh(ssi, "n1", f"cd /srv/local/{seed} && find . -type f -printf '{listed}' | sort")
        there = sh(ssi, "n2", f"cd /srv/t/{seed} && find . -type f -printf '{listed}' | sort")
        assert here == there and here.count("\n") >= 150


def test_archive_is_unpacked_whole_while_workers_are_killed(ssi: Ssi, place: str) -> None:
    sh(ssi, "n1", "rm -rf /srv/local && mkdir -p /srv/local && cd /srv/local && cp -a /etc tree")
    sh(
        ssi,
        "n1",
        "cd /srv/local && chown -R ada tree/default && tar --format=posix -cf tree.tar tree",
    )
    ended: list[str] = []

    def unpack() -> None:
        ended.append(sh(ssi, "n1", f"tar xf /srv/local/tree.tar -C {place}"))

    thread = threading.Thread(target=unpack)
    thread.start()
    killed = 0
    while thread.is_alive() and killed < 5:
        replace_worker(ssi)
        killed += 1
        time.sleep(0.2)
    thread.join(PATIENCE_S)
    assert ended == [""] and killed
    listed = "find . ! -type d -printf '%P %m %U %G %s %TY-%Tm-%Td %TH:%TM:%TS\\n' | sort"
    here = sh(ssi, "n1", f"cd /srv/local/tree && {listed}")
    assert sh(ssi, "n2", f"cd /srv/t/tree && {listed}") == here
    assert here.count("\n") > 100


def test_what_was_said_to_be_set_outlives_both_ends(ssi: Ssi, place: str) -> None:
    """What the server has not heard of is nowhere but in what the next worker finds.

    1. The file server stands still.
    2. Attributes are said to be set all the same; close(2) waits.
    3. Worker and server are killed.
    """
    with patient(ssi) as folder:
        with setting(ssi, f"{folder}/both") as program:
            tell(program, "set")
            assert heard(program) == 0  # the kind of everything is known by now
            server = sh(ssi, "n2", "pgrep -x ssi-files").strip()
            sh(ssi, "n2", f"kill -STOP {server}")
            tell(program, "set")
            worker = sh(ssi, "n1", "pgrep -x ssi-mounts").strip()
            tell(program, "close")
            time.sleep(0.5)
            sh(ssi, "n1", f"kill -9 {worker}")
            sh(ssi, "n2", f"kill -9 {server}")
            assert (heard(program), heard(program)) == (0, 0)
        assert sh(ssi, "n2", f"{STAT} /srv/t/both") == "640 root root 0\n"


def test_server_that_stands_still_is_not_waited_for_before_close(ssi: Ssi, place: str) -> None:
    with patient(ssi) as folder, setting(ssi, f"{folder}/still") as program:
        server = sh(ssi, "n2", "pgrep -x ssi-files").strip()
        sh(ssi, "n2", f"kill -STOP {server}")
        try:
            tell(program, "time")
            assert heard(program) == 0
            assert sh(ssi, "n2", f"{STAT} /srv/t/still") != "640 root root 0\n"
        finally:
            sh(ssi, "n2", f"kill -CONT {server}")
        tell(program, "close")
        assert heard(program) == 0
        assert sh(ssi, "n2", f"{STAT} /srv/t/still") == "640 root root 0\n"


def test_what_stays_open_is_set_a_moment_later(ssi: Ssi, place: str) -> None:
    with setting(ssi, f"{place}/open") as program:
        tell(program, "set")
        assert heard(program) == 0
        eventually(
            lambda: sh(ssi, "n2", f"{STAT} /srv/t/open") == "640 root root 0\n",
            what="attributes to be set",
        )
        tell(program, "close")
        assert heard(program) == 0


def test_close_tells_what_a_cut_link_has_lost(ssi: Ssi, place: str) -> None:
    n2 = ssi.host("n2")
    with setting(ssi, f"{place}/lost") as program:
        n2.cut()
        try:
            tell(program, "time")
            told = heard(program)
            began_s = time.monotonic()
            tell(program, "close")
            closed = heard(program)
            took_s = time.monotonic() - began_s
        finally:
            n2.heal()
    assert told == 0 and closed in {errno.ETIMEDOUT, errno.EHOSTDOWN}, (told, closed)
    assert took_s < PATIENCE_S, "5 s, and a loaded machine"
    sh(ssi, "n1", f"timeout 60 sh -c 'until stat {place}/lost; do sleep 0.1; done'")
