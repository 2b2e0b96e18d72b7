"""`ssi up`: which hosts its words stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssi.cli.up import _ways_of_nodes, names_of
from ssi.model.node import Roster, RosterEntry
from ssi.model.nodeset import NodesetInvalid


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SSI_CONFIG_DIR", str(tmp_path))
    return tmp_path


def test_hosts_are_named_once_in_their_order() -> None:
    assert names_of(["ada@web", "n3", "n1..3"]) == ["ada@web", "n3", "n1", "n2"]


def test_groups_are_read_also_before_their_hosts_are_nodes(home: Path) -> None:
    (home / "groups").write_text("web: web1..3\n")
    assert names_of(["@web!web2", "n1"]) == ["web1", "web3", "n1"]


def test_all_is_nobody_before_there_is_a_node() -> None:
    with pytest.raises(NodesetInvalid, match="it is empty"):
        names_of(["all"])


def test_nodes_are_reached_the_way_they_were_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = {
        "n1": "lab:old:n1",
        "n2": "lab:old:ada@n2",
        "web": "ada@10.0.0.5",
        "db": "lab:old:n7",
        "plain": "plain",
    }
    entries = tuple(
        RosterEntry(
            name=name,
            number=number,
            public_key="",
            address="",
            control_port=0,
            bulk_port=0,
            ssh_target=way,
        )
        for number, (name, way) in enumerate(ways.items(), 1)
    )
    monkeypatch.setattr(
        "ssi.deploy.cluster.load_roster", lambda: Roster(system="s", version=1, nodes=entries)
    )
    assert _ways_of_nodes() == {"web": "ada@10.0.0.5", "db": "lab:old:n7"}
