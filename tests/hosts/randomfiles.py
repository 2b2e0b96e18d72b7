"""Made-up file operations, by programs on hosts and by one beside them on a local file system.

The local one is the model: whatever it answers, an errno included, the others must answer.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Sequence
from typing import Any

PROGRAM = r"""
import hashlib, json, os, stat, sys
os.makedirs(sys.argv[1], exist_ok=True); os.chdir(sys.argv[1])
held = {}
def close(file, told):
    os.close(file)
    return told
def put(path, at, size, letter, flags):
    file = os.open(path, os.O_WRONLY | flags, 0o644)
    try: return os.pwrite(file, letter.encode() * size, at)
    finally: os.close(file)
def get(path):
    with open(path, "rb") as file: data = file.read()
    return [len(data), hashlib.blake2b(data).hexdigest()]
def look(path):
    found = os.lstat(path)
    kind = stat.S_IFMT(found.st_mode)
    size = 0 if kind == stat.S_IFDIR else found.st_size
    return [kind, found.st_mode & 0o777, 0 if kind == stat.S_IFDIR else found.st_nlink, size]
def hold(name, path):
    if name in held: os.close(held.pop(name))
    held[name] = os.open(path, os.O_RDWR)
def held_get(name):
    data = os.pread(held[name], 1 << 22, 0)
    return [len(data), hashlib.blake2b(data).hexdigest(), os.fstat(held[name]).st_size]
def held_put(name, at, size, letter): return os.pwrite(held[name], letter.encode() * size, at)
def free(name): os.close(held.pop(name))
DEEDS = dict(
    put=put, get=get, look=look, hold=hold, held_get=held_get, held_put=held_put, free=free,
    names=lambda path: sorted(os.listdir(path)), cut=os.truncate, move=os.rename, drop=os.unlink,
    mkdir=os.mkdir, rmdir=os.rmdir, link=os.link, soft=os.symlink, mode=os.chmod,
    follow=os.readlink,
)
print("ready", flush=True)
for line in sys.stdin:
    deed, *words = json.loads(line)
    try: told = DEEDS[deed](*words)
    except KeyError: told = "not held"
    except OSError as exc: told = ["errno", exc.errno]
    print(json.dumps(told), flush=True)
"""

FOLDERS = ("a", "b", "a/c")
NAMES = ("p", "q", "r", "s", "t")
O_CREAT, O_EXCL, O_TRUNC, O_APPEND = 0o100, 0o200, 0o1000, 0o2000


class Actor:
    """A program that does what it is told, in a directory."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._heard() == "ready\n", command

    def __call__(self, deed: Sequence[object]) -> Any:  # Any: whatever the deed tells
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(deed) + "\n")
        return json.loads(self._heard())

    def _heard(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def end(self) -> None:
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


class Draw:
    """Deeds, drawn with a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def one_of(self, things: Sequence[Any]) -> Any:  # Any: one of the things
        return self._random.choice(things)

    def path(self) -> str:
        return str(self.one_of((*NAMES, *(f"{each}/{name}" for each in FOLDERS for name in NAMES))))

    def place(self) -> list[object]:
        at, size = self.one_of((0, 1, 4095, 100_000)), self.one_of((0, 1, 5000, 200_000))
        return [at, size, self.one_of("xyz")]

    def deed(self, actor: int) -> list[object]:
        name = f"{actor}{self.one_of('kl')}"
        flags = (0, O_CREAT, O_CREAT | O_EXCL, O_CREAT | O_TRUNC, O_CREAT | O_APPEND)
        made: Sequence[list[object]] = (
            ["put", self.path(), *self.place(), self.one_of(flags)],
            ["put", self.path(), *self.place(), O_CREAT],
            ["get", self.path()],
            ["get", self.path()],
            ["look", self.path()],
            ["hold", name, self.path()],
            ["held_get", name],
            ["held_put", name, *self.place()],
            ["free", name],
            ["names", self.one_of((".", *FOLDERS))],
            ["cut", self.path(), self.one_of((0, 3, 70_000))],
            ["move", self.path(), self.path()],
            ["move", self.one_of(FOLDERS), self.one_of(FOLDERS)],
            ["drop", self.path()],
            ["mkdir", self.one_of(FOLDERS)],
            ["mkdir", self.one_of(FOLDERS)],
            ["rmdir", self.one_of(FOLDERS)],
            ["link", self.path(), self.path()],
            ["soft", self.one_of(NAMES), self.path()],
            ["mode", self.path(), self.one_of((0o600, 0o755))],
            ["follow", self.path()],
        )
        return list(self.one_of(made))
