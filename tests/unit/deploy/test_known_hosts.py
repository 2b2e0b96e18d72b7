"""Known host keys, as OpenSSH's files have them."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from ssi.deploy.known_hosts import (
    HostKey,
    Standing,
    fingerprint,
    format_line,
    judge,
    known_algorithms,
    matches,
    name_on_file,
    parse,
)


def key(letter: bytes, algorithm: str = "ssh-ed25519") -> HostKey:
    return HostKey(algorithm=algorithm, blob=letter * 32)


def text_of(host_key: HostKey) -> str:
    return f"{host_key.algorithm} {base64.b64encode(host_key.blob).decode()}"


OURS, OTHER = key(b"a"), key(b"b")
HASHED = format_line("n1", OURS, hashed=True)


@pytest.mark.parametrize(
    ("file", "name", "standing"),
    [
        ("", "n1", Standing.UNKNOWN),
        (f"n1 {text_of(OURS)}", "n1", Standing.KNOWN),
        (f"n1 {text_of(OURS)} root@n1", "n1", Standing.KNOWN),
        (f"n0,n1,10.0.0.1 {text_of(OURS)}", "10.0.0.1", Standing.KNOWN),
        (f"n1 {text_of(OTHER)}", "n1", Standing.CHANGED),
        (f"n1 {text_of(key(b'c', 'ssh-rsa'))}", "n1", Standing.CHANGED),
        (f"n1 {text_of(OTHER)}\nn1 {text_of(OURS)}", "n1", Standing.KNOWN),
        (f"n2 {text_of(OTHER)}", "n1", Standing.UNKNOWN),
        (f"*.lab {text_of(OURS)}", "n1.lab", Standing.KNOWN),
        (f"n? {text_of(OURS)}", "n1", Standing.KNOWN),
        (f"*,!n1 {text_of(OURS)}", "n1", Standing.UNKNOWN),
        (f"[n1]:2222 {text_of(OURS)}", "[n1]:2222", Standing.KNOWN),
        (f"[n1]:2222 {text_of(OURS)}", "n1", Standing.UNKNOWN),
        (f"N1 {text_of(OURS)}", "n1", Standing.KNOWN),
        (HASHED, "n1", Standing.KNOWN),
        (HASHED, "n2", Standing.UNKNOWN),
        (f"@revoked * {text_of(OURS)}", "n1", Standing.REVOKED),
        (f"n1 {text_of(OURS)}\n@revoked * {text_of(OURS)}", "n1", Standing.REVOKED),
        (f"@revoked * {text_of(OTHER)}\nn1 {text_of(OURS)}", "n1", Standing.KNOWN),
        (f"@cert-authority * {text_of(OTHER)}\nn1 {text_of(OURS)}", "n1", Standing.KNOWN),
        (f"@cert-authority * {text_of(OURS)}", "n1", Standing.UNKNOWN),
        (f"# n1 {text_of(OTHER)}\n\nnonsense\nn1 x !!!\nn1 {text_of(OURS)}", "n1", Standing.KNOWN),
        (f"|1|broken {text_of(OTHER)}\n|1|a|b {text_of(OTHER)}", "n1", Standing.UNKNOWN),
    ],
)
def test_a_shown_key_stands_to_the_file_as_ssh_says(
    file: str, name: str, standing: Standing
) -> None:
    assert judge(parse(file, "known_hosts"), name, OURS).standing is standing


def test_the_deciding_line_is_named() -> None:
    verdict = judge(parse(f"# a\nn1 {text_of(OTHER)}\n", "/h/known_hosts"), "n1", OURS)
    assert verdict.line is not None
    assert verdict.line.where == "/h/known_hosts:2"
    assert verdict.line.key.fingerprint == OTHER.fingerprint


def test_another_port_than_22_is_part_of_the_name() -> None:
    assert name_on_file("N1", 22) == "n1"
    assert name_on_file("n1", 2222) == "[n1]:2222"


def test_a_negated_pattern_outweighs_all_others() -> None:
    assert matches(["*.lab"], "a.lab")
    assert not matches(["*.lab", "!b.lab"], "b.lab")


def test_algorithms_on_file_come_in_its_order() -> None:
    lines = list(parse(f"n1 {text_of(key(b'c', 'ssh-rsa'))}\nn1 {text_of(OURS)}\n", "f"))
    assert known_algorithms(lines, "n1") == ("ssh-rsa", "ssh-ed25519")


def test_a_hashed_line_does_not_show_the_name_and_is_found_by_ssh_keygen(tmp_path: Path) -> None:
    pair = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", str(pair)], check=True)
    algorithm, blob = (tmp_path / "key.pub").read_text().split()[:2]
    shown = HostKey(algorithm=algorithm, blob=base64.b64decode(blob))
    line = format_line("n1.lab", shown, hashed=True)  # no base64 has a dot
    assert "n1.lab" not in line
    (tmp_path / "known_hosts").write_text(line)
    found = subprocess.run(
        ["ssh-keygen", "-l", "-F", "n1.lab", "-f", str(tmp_path / "known_hosts")],
        capture_output=True,
        check=True,
        text=True,
    )
    assert fingerprint(shown.blob) in found.stdout
