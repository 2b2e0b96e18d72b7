"""``ssi lab`` as a user types it, in a process of its own."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

from ssi.lab import Lab
from tests.hosts.system import COMMAND_TIMEOUT_S


def ssi_lab(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ssi.cli", "lab", *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_S,
    )


def test_up_shows_hosts_and_next_steps_and_nothing_else(spare_name: str) -> None:
    hurried = ssi_lab("up", "2", "--name", spare_name, "--timeout", "0.05")
    assert (hurried.returncode, hurried.stdout) == (124, "")
    assert f"`ssi lab up 2 --name {spare_name}` finishes it [out-of-time]" in hurried.stderr
    done = ssi_lab("up", "2", "--name", spare_name)
    assert (done.returncode, done.stderr) == (0, "")
    subnet = Lab.get(spare_name).blueprint.subnet
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"lab {spare_name}: 2 hosts on {subnet}, up in ")
    assert lines[2].split() == ["n1", str(subnet[11]), "running"]
    assert lines[3].split() == ["n2", str(subnet[12]), "running"]
    assert f"  ssi lab down --name {spare_name}" in done.stdout


def test_status_tells_each_hosts_condition_also_as_json(spare_name: str) -> None:
    lab = Lab.up(name=spare_name, size=2)
    for verb, condition in (("pause", "paused"), ("resume", "running"), ("cut", "cut")):
        done = ssi_lab(verb, "n2", "--name", spare_name)
        assert done.stdout == f"n2 {condition}\n", done.stderr
    records = json.loads(ssi_lab("status", "--json", "--name", spare_name).stdout)
    assert [(each["host"], each["condition"]) for each in records] == [
        ("n1", "running"),
        ("n2", "cut"),
    ]
    assert records[0]["pid"] == lab.host("n1").pid
    assert ssi_lab("heal", "n2", "--name", spare_name).stdout == "n2 running\n"
    assert ssi_lab("kill", "n2", "--name", spare_name).stdout == "n2 down\n"


def test_ssh_returns_the_commands_output_and_status(lab: Lab) -> None:
    at = ("--name", lab.name)
    assert ssi_lab("ssh", "n2", *at, "--", "printf", "%s|", "a b", "$HOME").stdout == "a b|$HOME|"
    line = ssi_lab("ssh", "n2", *at, "--user", "ada", "--", "cat; echo $USER; exit 7", stdin="in\n")
    assert (line.returncode, line.stdout) == (7, "in\nada\n")


def test_print_gives_a_command_line_that_works_when_pasted(lab: Lab) -> None:
    words = ("ssh", "n1", "--name", lab.name, "--print", "--", "echo", "it's me")
    hurried = shlex.split(ssi_lab("ssh", "--timeout", "7", *words[1:]).stdout)
    printed = ssi_lab(*words).stdout
    assert shlex.split(printed)[0] == "ssh"
    assert hurried == ["timeout", "--foreground", "7", *shlex.split(printed)]
    pasted = subprocess.run(
        printed, shell=True, capture_output=True, check=True, timeout=COMMAND_TIMEOUT_S
    )
    assert pasted.stdout == b"it's me\n"


def test_down_says_what_is_gone_and_what_was_not_there(spare_name: str) -> None:
    Lab.up(name=spare_name, size=1)
    assert ssi_lab("down", "--name", spare_name).stdout == f"lab {spare_name} is gone\n"
    again = ssi_lab("down", "--name", spare_name)
    assert (again.returncode, again.stdout) == (0, f"there was no lab {spare_name}\n")
