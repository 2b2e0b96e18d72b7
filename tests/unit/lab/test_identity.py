from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from ssi.lab.blueprint import Blueprint
from ssi.lab.identity import hosts_file, known_hosts, ssh_config

LAB = Blueprint(name="lab", subnet=IPv4Network("10.99.7.0/24"), size=2, image=Path("/image"))


def test_ssh_config_reaches_each_host_with_the_labs_own_key_and_strict_host_keys() -> None:
    text = ssh_config(LAB, Path("/state/lab"))
    assert "Host n1\n    HostName 10.99.7.11\n" in text
    assert "Host n2\n    HostName 10.99.7.12\n" in text
    for line in (
        "User root",
        "IdentityFile /state/lab/key",
        "UserKnownHostsFile /state/lab/known_hosts",
        "StrictHostKeyChecking yes",
    ):
        assert f"    {line}\n" in text


def test_known_hosts_knows_names_and_addresses() -> None:
    keys = {"n1": "ssh-ed25519 AAAA1", "n2": "ssh-ed25519 AAAA2"}
    assert known_hosts(LAB, keys) == (
        "n1,10.99.7.11 ssh-ed25519 AAAA1\nn2,10.99.7.12 ssh-ed25519 AAAA2\n"
    )


def test_hosts_file_names_the_machine_and_every_host() -> None:
    assert hosts_file(LAB).splitlines() == [
        "127.0.0.1 localhost",
        "::1 localhost",
        "10.99.7.1 lab",
        "10.99.7.11 n1",
        "10.99.7.12 n2",
    ]
