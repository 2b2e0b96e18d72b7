"""Node sets with groups, wildcards and `all`."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ssi.client.nodegroups import expand_among
from ssi.model.node import NodeState
from ssi.model.nodeset import NodesetInvalid
from ssi.protocol.refusals import NodeUnknown
from tests.unit.view.samples import GPU, METRICS, node

ROWS = [
    node(name="n1"),
    node(name="n2", metrics=msgspec.structs.replace(METRICS, cordoned=True)),
    node(name="n3", state=NodeState.DEAD),
    node(name="gpu1", metrics=msgspec.structs.replace(METRICS, gpus=(GPU,))),
    node(name="web-all"),
]


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SSI_CONFIG_DIR", str(tmp_path))
    return tmp_path / "groups"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", "gpu1 n1 n2 n3 web-all"),
        ("all!n1..3", "gpu1 web-all"),
        ("web-all", "web-all"),
        ("n[1-2],gpu1", "gpu1 n1 n2"),
        ("n1..n3", "n1 n2 n3"),
        ("n[1-3]&n[2-4]", "n2 n3"),
        ("n1,n2^n2,n3", "n1 n3"),
        ("n*", "n1 n2 n3"),
        ("gpu?,n1", "gpu1 n1"),
        ("@alive!@cordoned", "gpu1 n1 web-all"),
        ("@dead", "n3"),
        ("@gpu", "gpu1"),
        ("@all&n*!@dead", "n1 n2"),
    ],
)
@pytest.mark.usefixtures("groups")
def test_a_set_names_nodes(text: str, names: str) -> None:
    assert " ".join(sorted(expand_among(text, ROWS))) == names


def test_groups_of_the_user_are_read_and_may_build_on_each_other(groups: Path) -> None:
    groups.write_text("# mine\nfast: n1,gpu1   # both\n\nslow: all!@fast\n")
    assert expand_among("@fast", ROWS) == {"n1", "gpu1"}
    assert expand_among("@slow&n*", ROWS) == {"n2", "n3"}


def test_a_group_of_the_user_may_name_a_node_that_there_is_not(groups: Path) -> None:
    groups.write_text("old: n1,n9\n")
    with pytest.raises(NodeUnknown, match="'n9'"):
        expand_among("@old", ROWS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@nope", "there is no group '@nope'"),
        ("n1,@nope", "there is no group '@nope'"),
        ("@left", "it is empty"),
        ("x*", "it is empty"),
    ],
)
@pytest.mark.usefixtures("groups")
def test_what_names_nobody_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NodesetInvalid, match=reason):
        expand_among(text, ROWS)


def test_a_file_of_groups_that_cannot_be_read_is_named_with_the_line(groups: Path) -> None:
    groups.write_text("a: n1\nno colon here\n")
    with pytest.raises(NodesetInvalid, match=r"line 2 of .*groups is no group"):
        expand_among("@a", ROWS)
