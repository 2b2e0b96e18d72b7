"""Inventories of other programs: which hosts they have, and what ssh is told of them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from ssi.deploy.inventory import ansible, clustershell, sshconfig
from ssi.deploy.inventory.inventory import Inventory, read_inventory
from ssi.deploy.target import Resolver
from ssi.model.errors import UsageError
from ssi.model.nodeset import NodesetInvalid

LISTED = {
    "_meta": {
        "hostvars": {
            "web1": {"ansible_host": "10.0.0.5", "ansible_user": "ada"},
            "web2": {"ansible_port": 22},
            "db": {"ansible_user": "root"},
            "here": {"ansible_connection": "local"},
            "win": {"ansible_connection": "winrm"},
        }
    },
    "all": {"children": ["ungrouped", "web", "site"]},
    "ungrouped": {"hosts": ["here", "win"]},
    "web": {"hosts": ["web1", "web2"]},
    "site": {"children": ["web", "data"], "vars": {"x": 1}},
    "data": {"hosts": ["db"]},
}


def test_ansible_hosts_groups_and_ways_are_read() -> None:
    found = ansible.parse(json.dumps(LISTED))
    assert set(found.hosts) == {"web1", "web2", "db"}
    assert found.groups["site"] == ["web1", "web2", "db"]
    assert found.groups["ungrouped"] == []
    assert found.ways == {"web1": "ada@10.0.0.5", "db": "root@db"}
    assert set(found.left_out) == {"here", "win"}
    assert found.select(["@site!db"]) == ["web1", "web2"]
    assert set(found.select(["all"])) == {"web1", "web2", "db"}


def test_a_group_of_groups_in_a_circle_ends() -> None:
    circle = {"a": {"hosts": ["n1"], "children": ["b"]}, "b": {"children": ["a"]}, "c": ["n2"]}
    found = ansible.parse(json.dumps(circle))
    assert (found.groups["a"], found.groups["b"], found.groups["c"]) == (["n1"], ["n1"], ["n2"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[web]\nweb1", "no JSON"),
        ("[]", "not laid out"),
        ('{"web": {"hosts": "web1"}}', "not laid out"),
        ('{"web": {"hosts": [1]}}', "not laid out"),
    ],
)
def test_what_is_no_inventory_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ansible.parse(text)


# What ansible-core 2.19 lists for an inventory with these variables: it expands no template.
PECULIAR = {
    "_meta": {
        "hostvars": {
            "port": {"ansible_ssh_port": 2200},
            "template": {"ansible_user": "{{ lookup('env', 'USER') }}"},
            "older": {"ansible_ssh_host": "10.0.0.7", "ansible_host": "x", "ansible_ssh_user": "b"},
            "whole": {"ansible_connection": "ansible.builtin.ssh", "ansible_user": ""},
            "box": {"ansible_connection": "community.docker.docker"},
        }
    },
    "all": {"children": ["g-1"]},
    "g-1": {"hosts": ["port", "template", "older", "whole", "box"]},
}


def test_variables_of_ansible_are_read_as_its_ssh_reads_them() -> None:
    found = ansible.parse(json.dumps(PECULIAR))
    assert found.ways == {"older": "b@10.0.0.7"}
    assert found.left_out == ("box",)
    assert found.select(["@g-1!port!template"]) == ["older", "whole"]
    for name, said in (("port", "port has ansible_port 2200"), ("template", "alone can read")):
        with pytest.raises(UsageError, match=said):
            found.select(["older", name])


def test_hosts_of_ssh_are_those_that_are_no_patterns(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "# Host commented \udce9\n"
        "Include conf.d/*.conf missing\n"
        'Host web1 "web 2"  # two\n'
        "host = gpu1\n"
        "Host *.example.org !bad ? *\n"
        "  HostName x\n"
        "Match host y\n",
        encoding="utf-8",
        errors="surrogateescape",
    )
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/a.conf").write_text("Host inner\nInclude a.conf conf.d/a.conf\n")
    found = sshconfig.read(tmp_path / "config")
    assert found.hosts == ("inner", "web1", "web 2", "gpu1")
    assert found.select(["gpu*"]) == ["gpu1"]
    with pytest.raises(UsageError, match="cannot be read"):
        sshconfig.read(tmp_path / "none")


def test_groups_of_clustershell_are_read_without_its_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clustershell").mkdir()
    (tmp_path / "clustershell/groups.conf").write_text(
        "[Main]\ndefault: ours\n[ours]\n"
        "map: case $GROUP in web) echo 'web[1-2]' ;; site) echo '@web,db' ;; esac\n"
        "list: echo web site\n"
    )
    monkeypatch.setenv("CLUSTERSHELL_CFGDIR", str(tmp_path / "clustershell"))
    found = clustershell.read()
    assert found.groups == {"site": ["db", "web1", "web2"], "web": ["web1", "web2"]}
    assert set(found.hosts) == {"db", "web1", "web2"}
    assert not any(str(file).startswith(sys.prefix) for file in clustershell.config_files())


SOURCES = """\
roles:
    io: 'e[2,4-6]'
    compute: '@io,c[01-10/2]'
    racked: '@racks:r1'
    gpu: [g1, g2]
racks:
    r1: 'e[2-3]'
    r2: 'e[4-6]'
"""


@pytest.mark.parametrize(
    ("asked", "named"),  # as `nodeset -e` of ClusterShell 1.10 has them
    [
        ("@compute!c03", "c01,c05,c07,c09,e2,e4,e5,e6"),
        ("@racked,@gpu", "e2,e3,g1,g2"),
        ("@io&@racks:r2", "e4,e5,e6"),
        ("@io^@racks:r1", "e3,e4,e5,e6"),
        ("@roles:io", "e2,e4,e5,e6"),
        ("@racks:r[1-2]", "e2,e3,e4,e5,e6"),
        ("@racks:*", "e2,e3,e4,e5,e6"),
        ("@*!@compute", "e3,g1,g2"),
    ],
)
def test_sources_of_groups_are_those_of_clustershell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, named: str
) -> None:
    (tmp_path / "groups.d").mkdir()
    (tmp_path / "groups.d/all.yaml").write_text(SOURCES)
    (tmp_path / "groups.conf").write_text(
        "[Main]\ndefault: roles\nautodir: $CFGDIR/groups.d\n[slow]\nmap: exit 1\nlist: exit 1\n"
    )
    monkeypatch.setenv("CLUSTERSHELL_CFGDIR", str(tmp_path))
    assert ",".join(read_inventory("clustershell", [asked]).select([asked])) == named
    with pytest.raises(UsageError, match=r"no groups of rakcs; it has those of .*racks"):
        clustershell.read(["@rakcs:r1"])


def test_an_inventory_comes_from_a_file_or_from_stdin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "inventory.json"
    file.write_text(json.dumps(LISTED))
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(LISTED)))
    assert read_inventory(str(file)) == read_inventory("-") == ansible.parse(json.dumps(LISTED))
    with pytest.raises(UsageError, match=r"inventory .*none cannot be read"):
        read_inventory(str(tmp_path / "none"))


def test_nobody_is_taken_who_is_not_named() -> None:
    known = Inventory(hosts=("n1", "n2"), groups={"web": ["n1"]})
    with pytest.raises(UsageError, match=r"it has n\[1-2\] and the groups @web"):
        known.select([])
    with pytest.raises(NodesetInvalid, match="no group '@wbe'"):
        known.select(["@wbe"])
    assert known.select(["@web", "n9"]) == ["n1", "n9"]


def test_a_host_of_an_inventory_keeps_its_name_and_is_found_by_its_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    resolver = Resolver("", lambda _: None, {"web1": "ada@10.0.0.5"})
    target = resolver.resolve("web1")
    assert (target.name, target.alias) == ("web1", "web1")
    assert (target.hostname, target.user, target.spelled) == ("10.0.0.5", "ada", "ada@10.0.0.5")
    assert resolver.resolve("web2").hostname == "web2"
