"""Names of machines that are no nodes."""

from __future__ import annotations

import pytest

from ssi.model.client import client_name, is_client
from ssi.model.errors import SsiError
from ssi.model.jobfiles import Bind, JobFiles, root_of
from ssi.model.nodeset import expand

NAME = client_name("t480", "3fa9", "k" * 40)


def test_name_begins_with_the_host_and_is_always_the_same() -> None:
    assert NAME.startswith("t480~") and client_name("t480", "3fa9", "k" * 40) == NAME


@pytest.mark.parametrize(
    "other",
    [("t480", "3fa9", "l" * 40), ("t480", "", "k" * 40), ("t48", "03fa9", "k" * 40)],
)
def test_each_machine_and_each_key_has_a_name_of_its_own(other: tuple[str, str, str]) -> None:
    assert client_name(*other) != NAME


@pytest.mark.parametrize("host", ["../../etc", "a/b", "", "x" * 200, "lap top", "~", "\n"])
def test_name_is_one_plain_part_of_a_path_whatever_the_host_is_called(host: str) -> None:
    name = client_name(host, "", "k" * 40)
    assert "/" not in name and name.isprintable() and " " not in name and len(name) < 64
    assert name.count("~") == 1 and not name.startswith("~")


def test_no_node_can_have_such_a_name() -> None:
    assert is_client(NAME) and not is_client("n1")
    with pytest.raises(SsiError):
        expand(NAME)


def test_files_of_a_client_are_where_only_root_may_go() -> None:
    files = JobFiles(home=NAME, is_whole=True, binds=(Bind(node="n2", source="/x", target="/y"),))
    assert (files.root, root_of("n2")) == (f"/ssi/c/{NAME}", "/ssi/n/n2")
    assert files.clients() == (NAME,)
    assert files.cover(f"/ssi/c/{NAME}/usr/bin/cat"), "it is the same file wherever the job runs"


def test_what_a_job_takes_of_a_client_is_what_its_binds_name() -> None:
    binds = (
        Bind(node=NAME, source="/home/bob", target="/home/bob"),
        Bind(node="n2", source="/data", target="/data"),
        Bind(node=NAME, source="/home/bob", target="/mnt"),
    )
    assert JobFiles(home=NAME, binds=binds).paths_of(NAME) == ("/home/bob",)
    assert JobFiles(home=NAME, is_whole=True, binds=binds).paths_of(NAME) == ("/",)
    assert JobFiles(home=NAME, is_whole=True, binds=binds).paths_of("n2") == ("/data",)
