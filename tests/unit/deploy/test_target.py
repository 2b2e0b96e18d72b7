"""Targets, from what ``ssh -G`` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssi.deploy.target import (
    KnownLab,
    Names,
    Resolver,
    jump_hosts,
    parse_ssh_g,
    target_of,
)
from ssi.deploy.unreached import HostUnknown
from ssi.model.errors import UsageError

PRINTED = """\
host web
user ada
hostname web.example.com
port 2222
identitiesonly yes
stricthostkeychecking true
hashknownhosts yes
hostkeyalias front
identityagent ~/.agent
identityfile ~/.ssh/id_ed25519
identityfile /keys/%h-%r
certificatefile /keys/ada-cert.pub
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
userknownhostsfile /home/ada/.ssh/known_hosts
connecttimeout 7
proxyjump none
proxycommand none
"""
WEB = Names("web", "web", "web")


def test_what_ssh_prints_becomes_a_target() -> None:
    target = target_of(WEB, parse_ssh_g(PRINTED), (), {})
    assert (target.hostname, target.port, target.user) == ("web.example.com", 2222, "ada")
    assert target.identities == (
        Path.home() / ".ssh/id_ed25519",
        Path("/keys/web.example.com-ada"),
    )
    assert target.certificates == (Path("/keys/ada-cert.pub"),)
    assert target.identities_only
    assert target.agent_socket == str(Path.home() / ".agent")
    assert target.user_known_hosts == (Path("/home/ada/.ssh/known_hosts"),)
    assert len(target.global_known_hosts) == 2
    assert target.host_key_name == "front"
    assert target.hash_known_hosts
    assert target.strict == "true"
    assert target.connect_timeout_s == 7.0


@pytest.mark.parametrize(
    ("text", "socket"),
    [
        ("", "/agent"),
        ("identityagent none", ""),
        ("identityagent SSH_AUTH_SOCK", "/agent"),
        ("identityagent $OTHER", "/other"),
        ("identityagent ${OTHER}", "/other"),
        ("identityagent /a/socket", "/a/socket"),
    ],
)
def test_the_key_agent_is_found(text: str, socket: str) -> None:
    environment = {"SSH_AUTH_SOCK": "/agent", "OTHER": "/other"}
    assert target_of(WEB, parse_ssh_g(text), (), environment).agent_socket == socket


@pytest.mark.parametrize(
    ("text", "hops"),
    [
        ("none", []),
        ("n1", [{"host": "n1"}]),
        ("ada@n1:2222", [{"host": "n1", "user": "ada", "port": "2222"}]),
        ("n1,n2", [{"host": "n1"}, {"host": "n2"}]),
        ("ssh://n1:22", [{"host": "n1", "port": "22"}]),
        ("[fe80::1]:22", [{"host": "fe80::1", "port": "22"}]),
    ],
)
def test_jump_hosts_are_read_in_order(text: str, hops: list[dict[str, str]]) -> None:
    assert jump_hosts({"proxyjump": [text]}) == hops


def test_a_jump_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(UsageError):
        jump_hosts({"proxyjump": ["a b"]})


def test_a_proxy_command_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="ProxyCommand"):
        target_of(WEB, {"proxycommand": ["nc %h %p"]}, (), {})


@pytest.fixture
def resolver(tmp_path: Path) -> Resolver:
    config = tmp_path / "ssh_config"
    config.write_text(
        "Host n1\n  HostName 10.99.0.11\nHost n2\n  HostName 10.99.0.12\n  ProxyJump ada@n1:22\n"
        "Host n3\n  ProxyJump n3\nMatch user bob\n  Port 2200\nHost *\n  User root\n"
    )

    def find_lab(name: str) -> KnownLab | None:
        return KnownLab(name, ("n1", "n2", "n3"), config) if name == "lab" else None

    return Resolver("lab", find_lab)


def test_a_host_of_the_lab_is_known_by_its_name(resolver: Resolver) -> None:
    target = resolver.resolve("n1")
    assert (target.hostname, target.user, target.alias) == ("10.99.0.11", "root", "n1")
    assert target.spelled == "lab:lab:n1"


def test_a_user_before_the_name_is_not_part_of_the_node(resolver: Resolver) -> None:
    target = resolver.resolve("ada@n1")
    assert (target.user, target.alias, target.spelled) == ("ada", "n1", "lab:lab:ada@n1")
    assert resolver.resolve(target.spelled).user == "ada"


def test_what_matches_the_user_before_the_name_holds(resolver: Resolver) -> None:
    assert [resolver.resolve(f"{user}@n1").port for user in ("ada", "bob")] == [22, 2200]


def test_a_host_is_found_again_by_its_spelled_name_from_another_lab(resolver: Resolver) -> None:
    assert resolver.resolve("lab:lab:n1").hostname == "10.99.0.11"
    with pytest.raises(HostUnknown, match="no lab 'gone'"):
        resolver.resolve("lab:gone:n1")


def test_a_jump_host_is_resolved_too(resolver: Resolver) -> None:
    (hop,) = resolver.resolve("n2").jumps
    assert (hop.hostname, hop.user, hop.port) == ("10.99.0.11", "ada", 22)


def test_a_host_that_jumps_through_itself_is_refused(resolver: Resolver) -> None:
    with pytest.raises(HostUnknown, match=r"jump ?host"):
        resolver.resolve("n3")
