"""Files that one node removes, renames and replaces while another one uses their names."""

from __future__ import annotations

import json
from pathlib import Path

from tests.hosts.system import Ssi, eventually
from tests.hosts.test_files import place, python, sh

__all__ = ["place"]

REPLACE = """
import os, sys, time
os.chdir(sys.argv[1])
end_s = time.monotonic() + 200
number = 0
while time.monotonic() < end_s and not os.path.exists("stop"):
    number += 1
    with open("new", "w") as file: file.write(str(number % 10) * 4000)
    os.rename("new", "live")
os.rename("stop", "ended")
"""

READ = """
import collections, json, os, sys, time
told = collections.Counter()
end_s = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end_s or told["whole"] <= 20:
    try:
        with open(sys.argv[1]) as file: data = file.read()
    except OSError as exc: told[str(exc)] += 1
    else: told["whole" if len(data) == 4000 and len(set(data)) == 1 else data[:20]] += 1
print(json.dumps(told))
"""

SWAP = """
import json, os, time
number = 0
with open("live", "w") as file: json.dump({"number": 0}, file)
while not os.path.exists("stop"):
    with open("live") as file: assert json.load(file)["number"] == number, number
    number += 1
    rest = "x" * (number % 5000)
    with open("new", "w") as file: json.dump({"number": number, "rest": rest}, file)
    os.rename("new", "live")
    with open("lock", "w") as file: assert os.path.exists("lock")
    os.unlink("lock"); assert not os.path.exists("lock")
    print(number, flush=True)
"""
"""As editors, databases and package managers write their files."""


def test_file_that_another_node_removed_is_made_again(ssi: Ssi, place: str) -> None:
    for turn in range(5):
        sh(ssi, "n1", f"echo {turn} > {place}/f && cat {place}/f")
        sh(ssi, "n2", "rm /srv/t/f")
        sh(ssi, "n1", f"echo again >> {place}/f && cat {place}/f")
        assert sh(ssi, "n2", "cat /srv/t/f") == "again\n"


def test_old_name_of_a_file_that_another_node_renamed_is_not_that_file(
    ssi: Ssi, place: str
) -> None:
    for turn in range(5):
        sh(ssi, "n1", f"echo {turn} > {place}/new && cat {place}/new")
        ssi.host("n2").enter("mv", "/srv/t/new", "/srv/t/live")
        line = f"ls {place} > /dev/null; cat {place}/live; echo other > {place}/new"
        assert sh(ssi, "n1", line) == f"{turn}\n"
        assert sh(ssi, "n2", "cd /srv/t && cat live new") == f"{turn}\nother\n"


def test_file_that_is_replaced_all_the_time_is_always_there_and_whole(ssi: Ssi, place: str) -> None:
    sh(ssi, "n2", f"echo '{REPLACE}' > /srv/t/replace.py")
    sh(ssi, "n2", "python3 /srv/t/replace.py /srv/t > /dev/null 2>&1 &")
    eventually(lambda: "live" in sh(ssi, "n1", f"ls {place}"), what="it to be there")
    told = json.loads(python(ssi, "n1", READ, f"{place}/live", "4"))
    sh(ssi, "n2", "touch /srv/t/stop")
    eventually(lambda: "ended" in sh(ssi, "n2", "ls /srv/t"), what="it to end")
    assert set(told) == {"whole"} and told["whole"] > 20


def test_job_that_replaces_its_files_finds_them_however_often_it_moves(ssi: Ssi) -> None:
    home = Path(ssi.host("n1").root, "home/ada/swap")
    sh(
        ssi,
        "n1",
        "rm -rf swap && mkdir swap && cat > swap/swap.py <<'END'" + SWAP + "END",
        user="ada",
    )
    line = "cd swap; exec ssi run -n n1 --detach -- python3 swap.py"
    gpid = sh(ssi, "n1", line, user="ada").strip()
    eventually(lambda: ssi.ok("logs", gpid) != "", what="it has begun")
    for destination in ("n2", "n3", "n2", "n1") * 4:
        ssi.ok("migrate", gpid, destination)
    (home / "stop").touch()
    assert ssi("wait", gpid).status == 0, ssi("logs", gpid)
    numbers = [int(line) for line in ssi.ok("logs", gpid).split()]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 20
    assert json.loads((home / "live").read_text())["number"] == numbers[-1]


TOGETHER = """
import os, sys, time
def add():
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    print(os.readlink(f"/proc/self/fd/{log}"), flush=True)
    os._exit(0)
children = [os.fork() or add() for _ in range(4)]
for child in children: assert os.waitpid(child, 0)[1] == 0
"""


def test_programs_that_make_a_file_at_once_have_it_by_its_name(ssi: Ssi, place: str) -> None:
    """Else CRIU finds it no more, and a job that did so cannot move."""
    for turn in range(20):
        told = python(ssi, "n1", TOGETHER, f"{place}/log{turn}")
        assert told.splitlines() == [f"{place}/log{turn}"] * 4


def test_file_that_lost_its_name_is_refused_by_name(ssi: Ssi) -> None:
    line = "cd /srv && rm -f lost kept && exec 5>lost && ln lost kept && rm lost && sleep 60"
    gpid = ssi.detached("n1", "sh", "-c", line)
    eventually(lambda: "kept" in sh(ssi, "n1", "ls /srv"), what="it to be open")
    eventually(lambda: "lost" not in sh(ssi, "n1", "ls /srv"), what="its name to be gone")
    result = ssi("migrate", gpid, "n2")
    assert result.status == 26, result
    assert "/srv/lost has lost the name by which it was opened" in result.err
    assert ssi.job(gpid)["state"] == "running"
    ssi.ok("kill", gpid)
    sh(ssi, "n1", "rm /srv/kept")
