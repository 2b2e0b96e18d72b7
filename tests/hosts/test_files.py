"""Other nodes' files below /ssi/n, used by unmodified programs on real mounts."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.hosts.system import COMMAND_TIMEOUT_S, PATIENCE_S, Ssi, eventually

PROGRAM = """
import fcntl, json, mmap, os, shutil, sqlite3, stat, subprocess, sys
os.makedirs(sys.argv[1]); os.chdir(sys.argv[1])
def write(path, data, mode="wb"):
    with open(path, mode) as file: file.write(data)
def read(path):
    with open(path, "rb") as file: return file.read()
def other(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return run.stdout.strip() or run.stderr
told = {}
write("excl", b"1")
try: os.open("excl", os.O_CREAT | os.O_EXCL)
except FileExistsError: told["O_EXCL"] = True
with open("gone", "w+b") as file:
    file.write(b"abc"); file.flush(); os.unlink("gone"); file.seek(0)
    told["deleted but open"] = file.read() == b"abc" and os.fstat(file.fileno()).st_nlink == 0
write("one", b"1"); write("two", b"2")
with open("two", "rb") as file:
    os.rename("one", "two")
    told["rename over open"] = (file.read(), read("two")) == (b"2", b"1")
os.link("two", "link")
same = os.stat("two"), os.stat("link")
told["hard link"] = same[0].st_ino == same[1].st_ino and same[1].st_nlink == 2
os.symlink("two", "soft"); told["symbolic link"] = read("soft") == b"1"
os.setxattr("two", "user.k", b"v")
told["xattr"] = os.getxattr("two", "user.k") == b"v" and os.listxattr("two") == ["user.k"]
write("two", b"23", "ab"); told["append"] = read("two") == b"123"
os.truncate("two", 1); told["truncate"] = read("link") == b"1"
write("map", bytes(8192))
with open("map", "r+b") as file, mmap.mmap(file.fileno(), 8192) as area: area[4000:4005] = b"hello"
told["mmap"] = read("map")[4000:4005] == b"hello"
with open("sparse", "wb") as file: file.seek(5 << 30); file.write(b"end")
with open("sparse", "rb") as file:
    hole = os.lseek(file.fileno(), 0, os.SEEK_DATA) > 0
    told["5 GB offset"] = hole and os.pread(file.fileno(), 9, 5 << 30) == b"end"
told["sparse"] = os.stat("sparse").st_blocks < 1000
os.mkfifo("fifo"); writer = subprocess.Popen(["sh", "-c", "echo hi > fifo"])
told["fifo"] = read("fifo") == b"hi\\n" and writer.wait() == 0
os.utime("two", ns=(1, 987654321)); told["times"] = os.stat("two").st_mtime_ns == 987654321
locked = "import fcntl; f=open('excl','r+'); fcntl.%s(f, fcntl.LOCK_EX|fcntl.LOCK_NB)"
for kind in ("flock", "lockf"):
    with open("excl", "r+") as file:
        getattr(fcntl, kind)(file, fcntl.LOCK_EX)
        told[kind] = "BlockingIOError" in other(locked % kind)
    told[kind + " free"] = other(locked % kind) == ""
base = sqlite3.connect("base"); base.execute("create table t(a)")
base.executemany("insert into t values(?)", [(n,) for n in range(1000)]); base.commit()
told["sqlite3"] = base.execute("select sum(a) from t").fetchone() == (499500,); base.close()
os.mkdir("many")
for number in range(1100): open(f"many/{number}", "w").close()
told["listing"] = {e.name for e in os.scandir("many") if e.is_file()} == {*map(str, range(1100))}
os.mkdir("few")
for number in range(150): write(f"few/{number}", b"%d" % number)
shutil.copy2("/bin/true", "true"); told["execute"] = subprocess.run(["./true"]).returncode == 0
write("script.py", b"import json; print(json.dumps([1]))")
ran = subprocess.run([sys.executable, "script.py"], capture_output=True)
told["script"] = ran.stdout == b"[1]\\n"
file = os.open("synced", os.O_CREAT | os.O_WRONLY); os.write(file, b"x"); os.fsync(file)
write("suid", b""); os.chmod("suid", 0o4755)
told["mode"] = stat.S_IMODE(os.stat("suid").st_mode) == 0o4755
for line in ("tar cf all.tar --sparse few two soft", "tar df all.tar", "ls -lR > list",
             "grep -rqx 149 few", "find many -type f | wc -l | grep -qx 1100",
             "cp -a few copy && diff -r few copy", "rm -r many few copy", "test ! -e many",
             "git init -q git && cd git && echo a > a && git add . && "
             "git -c user.name=a -c user.email=a@b commit -qm a && git status && echo b >> a && "
             "git status --short | grep -qx ' M a'",
             "printf 'out: in\\n\\tcp in out\\n' > Makefile && echo 1 > in && make -s && make -q",
             "vim.tiny -es -u NONE -c s/1/22/ -c wq in && grep -qx 22 in && make -s && cmp in out",
             "sqlite3 cli.db 'create table t(a); insert into t values(7); select * from t'|grep 7"):
    told[line] = subprocess.run(["sh", "-c", line], capture_output=True).returncode == 0
print(json.dumps(told))
"""

LINES = """
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
for number in range(300):
    os.write(file, f"{sys.argv[2]} {number} {'.' * (number * 20)}\\n".encode())
"""
"""Many of the lines go over the end of a page of the kernel's cache, or of two."""


def sh(ssi: Ssi, node: str, line: str, *, user: str = "root", status: int = 0) -> str:
    """What a line says on a host."""
    run = ssi.host(node).run("sh", "-c", line, user=user, timeout_s=COMMAND_TIMEOUT_S)
    assert run.returncode == status, (line, run)
    return run.stdout.decode()


def python(ssi: Ssi, node: str, code: str, *words: str, user: str = "root") -> str:
    """What a program says on a host."""
    run = ssi.host(node).run("python3", "-c", code, *words, user=user, timeout_s=COMMAND_TIMEOUT_S)
    assert run.returncode == 0, run
    return run.stdout.decode()


@pytest.fixture
def place(ssi: Ssi) -> Iterator[str]:
    """A directory of n2 that anybody may use, as the others see it."""
    sh(ssi, "n2", "rm -rf /srv/t && mkdir -m 1777 /srv/t")
    eventually(
        lambda: all("ssi:n2" in sh(ssi, node, "cat /proc/mounts") for node in ("n1", "n3")),
        what="n2 to be mounted",
    )
    yield "/ssi/n/n2/srv/t"
    sh(ssi, "n2", "rm -rf /srv/t")


def test_unmodified_programs_find_a_file_system(ssi: Ssi, place: str) -> None:
    told = json.loads(python(ssi, "n1", PROGRAM, f"{place}/project"))
    assert [what for what, well in told.items() if not well] == []
    assert sh(ssi, "n2", "cd /srv/t/project && tail -c 3 sparse && test ! -e gone") == "end"
    assert sorted(sh(ssi, "n1", "ls /ssi/n").split()) == ["n1", "n2", "n3"]
    assert sh(ssi, "n1", "cat /ssi/n/n1/etc/hostname") == sh(ssi, "n1", "cat /etc/hostname")


def test_each_request_is_its_users(ssi: Ssi, place: str) -> None:
    sh(ssi, "n2", "echo secret > /srv/t/secret && chmod 600 /srv/t/secret")
    sh(ssi, "n2", "cp /usr/bin/id /srv/t/id && chmod 4755 /srv/t/id")
    sh(ssi, "n2", "mknod -m 666 /srv/t/null c 1 3")
    sh(ssi, "n1", f"cat {place}/secret /ssi/n/n2/etc/shadow > /dev/null")  # root's page cache
    sh(ssi, "n1", f"touch {place}/mine && mkdir {place}/own", user="ada")
    assert sh(ssi, "n2", "stat -c '%U %G %a' /srv/t/mine") == "ada ada 664\n"
    for line in (
        f"cat {place}/secret", "cat /ssi/n/n2/etc/shadow", "ls /ssi/n/n2/root",
        f"rm -f {place}/secret", f"mv {place}/id {place}/own/", f"chown ada {place}/id",
        "touch /ssi/n/n2/etc/new", f"echo > {place}/null", f"ln {place}/secret {place}/own/s",
    ):  # fmt: skip
        run = ssi.host("n1").run("sh", "-c", line, user="ada")
        assert run.returncode != 0, line
        assert b"denied" in run.stderr or b"not permitted" in run.stderr, (line, run)
    assert "euid" not in sh(ssi, "n1", f"{place}/id", user="ada")
    for path in ("var/lib/ssi", "run/ssi", "proc", "ssi/n"):
        assert sh(ssi, "n1", f"ls -A /ssi/n/n2/{path}") == "", path


def test_user_without_account_there_is_refused(ssi: Ssi, place: str) -> None:
    sh(ssi, "n1", "id eve > /dev/null 2>&1 || useradd -u 4242 eve")
    try:
        run = ssi.host("n1").run("su", "eve", "-c", f"ls {place}/x; echo > {place}/eve")
        assert run.returncode != 0
        assert run.stderr.count(b"ermission denied") == 2, run
        assert "user-unknown user=eve" in sh(ssi, "n2", "cat /var/lib/ssi/files.log")
    finally:
        sh(ssi, "n1", "userdel eve")


def test_nodes_see_each_others_changes_and_locks(ssi: Ssi, place: str) -> None:
    for node, path in (("n1", place), ("n2", "/srv/t"), ("n3", place)):
        sh(ssi, node, f"echo {node} > {path}/note")
        for reader, seen in (("n1", place), ("n2", "/srv/t"), ("n3", place)):
            assert sh(ssi, reader, f"cat {seen}/note") == f"{node}\n", (node, reader)
    writers = [
        subprocess.Popen(ssi.host(node).ssh_command("python3", "-c", LINES, f"{path}/log", node))
        for node, path in (("n1", place), ("n2", "/srv/t"), ("n3", place))
    ]
    assert [writer.wait(COMMAND_TIMEOUT_S) for writer in writers] == [0, 0, 0]
    lines = sh(ssi, "n2", "cat /srv/t/log").splitlines()
    assert sorted(lines) == sorted(
        f"n{node} {number} {'.' * (number * 20)}" for node in (1, 2, 3) for number in range(300)
    )
    sh(ssi, "n1", f"touch {place}/lock")
    holder = ssi.host("n1").ssh_command("flock", f"{place}/lock", "sh", "-c", "echo held; cat")
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
        assert held.stdout is not None
        assert held.stdout.readline() == b"held\n"
        for node, path in (("n2", "/srv/t"), ("n3", place)):
            sh(ssi, node, f"flock -n {path}/lock true", status=1)
        waiter = ssi.host("n3").ssh_command("flock", f"{place}/lock", "echo", "mine")
        with subprocess.Popen(waiter, stdout=subprocess.PIPE) as waiting:
            held.communicate(b"", timeout=PATIENCE_S)
            assert waiting.communicate(timeout=PATIENCE_S)[0] == b"mine\n"


def test_mounts_are_made_listed_and_taken_away(ssi: Ssi, place: str) -> None:
    sh(ssi, "n1", "mkdir -p /mnt/two")
    ssi.ok("mount", "n2", "/mnt/two", "--on", "n1", "--sync")
    try:
        sh(ssi, "n1", "touch /mnt/two/srv/t/x; test -e /mnt/two/srv/t/x")
        for text in ("1", "2", "3"):  # at once, also by a descriptor that is open
            sh(ssi, "n2", f"echo {text} > /srv/t/x")
            assert sh(ssi, "n1", "cat /mnt/two/srv/t/x") == f"{text}\n"
        rows = [  # what a client's job needed may stay for a minute
            row
            for row in ssi.json("mount")
            if row["on"] == "n1" and not row["point"].startswith("/ssi/c/")
        ]
        assert {(row["node"], row["point"]) for row in rows} == {
            ("n2", "/ssi/n/n2"), ("n3", "/ssi/n/n3"), ("n2", "/mnt/two"),
        }  # fmt: skip
    finally:
        ssi.ok("umount", "/mnt/two", "--on", "n1")
    assert sh(ssi, "n1", "ls /mnt/two; rmdir /mnt/two") == ""
    assert ssi("umount", "/mnt/two", "--on", "n1").status == 31
    assert ssi("mount", "n2", "--on", "n1").status == 31
    refused = ssi("mount", "n2", "mnt/two", "--on", "n1")
    assert (refused.status, refused.err) == (2, "ssi: mnt/two is no absolute path [usage]\n")


def test_file_that_is_read_in_order_is_asked_for_in_large_pieces(ssi: Ssi, place: str) -> None:
    sh(ssi, "n1", "mkdir -p /mnt/ahead && mount -o remount,rw /sys")  # as on a real machine
    try:
        ssi.ok("mount", "n2", "/mnt/ahead", "--on", "n1")
        sh(ssi, "n1", "ls /mnt/ahead/srv/t")  # by now kernel and worker have agreed
        line = "cat /sys/class/bdi/$(mountpoint -d /mnt/ahead)/read_ahead_kb"
        assert sh(ssi, "n1", line) == "1024\n"
    finally:
        ssi("umount", "/mnt/ahead", "--on", "n1")
        sh(ssi, "n1", "mount -o remount,ro /sys; rmdir /mnt/ahead")


def test_directory_at_rest_is_listed_as_it_is(ssi: Ssi, place: str) -> None:
    sh(ssi, "n2", "mkdir -p /srv/t/d/sub && cd /srv/t/d && echo one > a && ln -s a link")
    time.sleep(2.5)  # from now on its times tell whether its names have changed
    shown = f"cd {place}/d && ls -F && cat a && readlink link && stat -c %s a && test ! -e new"
    for _ in range(3):
        assert sh(ssi, "n1", shown) == "a\nlink@\nsub/\none\na\n4\n"
    sh(ssi, "n2", "echo more >> /srv/t/d/a")  # no name of it
    time.sleep(1.1)
    assert sh(ssi, "n1", shown) == "a\nlink@\nsub/\none\nmore\na\n9\n"
    sh(ssi, "n2", "cd /srv/t/d && touch new && rmdir sub && ln -sfn new link")
    assert sh(ssi, "n1", f"ls -F {place}/d") == "a\nlink@\nnew\n", "at once, as before"
    time.sleep(1.1)
    assert (
        sh(ssi, "n1", f"cd {place}/d && readlink link && test -e new && test ! -e sub") == "new\n"
    )


def test_file_that_was_replaced_is_opened_whoever_has_just_listed_the_old_one(
    ssi: Ssi, place: str
) -> None:
    sh(ssi, "n2", "mkdir /srv/t/d && echo 0 > /srv/t/d/f")
    absent = "test ! -e x && test ! -e y && test ! -e z"
    listed = f"cd {place}/d && ls -l > /dev/null && cat f && {absent}"
    for turn in range(4):
        assert sh(ssi, "n1", listed) == f"{turn}\n"
        sh(ssi, "n2", f"cd /srv/t && echo {turn + 1} > new && mv new d/f")


def test_directory_that_another_node_has_moved_is_moved_again(ssi: Ssi, place: str) -> None:
    """Linux cannot move what it knows of a directory while it renames one (``__d_unalias``)."""
    sh(ssi, "n1", f"cd {place} && mkdir -p x/c && echo in > x/c/f && cat x/c/f")
    sh(ssi, "n2", "mv /srv/t/x/c /srv/t/y")
    time.sleep(1.2)
    python(ssi, "n1", "import os, sys; os.rename(*sys.argv[1:])", f"{place}/y", f"{place}/x/d")
    assert sh(ssi, "n1", f"cat {place}/x/d/f; ls {place}/x") == "in\nd\n"
    assert sh(ssi, "n2", "cat /srv/t/x/d/f") == "in\n"


def test_exports_are_heeded(ssi: Ssi, place: str) -> None:
    sh(ssi, "n2", "mkdir -p /etc/ssi && printf '/srv\\n/srv/t ro\\n' > /etc/ssi/exports")
    sh(ssi, "n2", "echo there > /srv/t/f")
    try:
        eventually(
            lambda: sh(ssi, "n1", "ls /ssi/n/n2").split() == ["srv"],
            what="the exports to be read",
        )
        assert sh(ssi, "n1", f"cat {place}/f") == "there\n"
        run = ssi.host("n1").run("sh", "-c", f"echo > {place}/f")
        assert b"Read-only file system" in run.stderr
        sh(ssi, "n1", "cat /ssi/n/n2/etc/passwd", status=1)
    finally:
        sh(ssi, "n2", "rm -r /etc/ssi")
    eventually(lambda: "etc" in sh(ssi, "n1", "ls /ssi/n/n2").split(), what="all again")
