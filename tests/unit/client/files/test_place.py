"""What people write for files, and which machine makes which copy."""

from __future__ import annotations

import pytest

from ssi.client.files.errand import Errand, errands
from ssi.client.files.place import Place, absolute, last_name, parse_place
from ssi.model.errors import UsageError
from ssi.model.nodeset import expand


@pytest.mark.parametrize(
    ("text", "nodes", "path"),
    [
        ("n1:/etc/hosts", "n1", "/etc/hosts"),
        ("n[1-3]:x", "n[1-3]", "x"),
        ("n1:", "n1", ""),
        ("/a:b", "", "/a:b"),
        ("./n1:x", "", "./n1:x"),
        ("plain", "", "plain"),
        ("n1:a:b\n", "n1", "a:b\n"),
        (":x", "", ":x"),
    ],
)
def test_colon_before_any_slash_ends_a_node(text: str, nodes: str, path: str) -> None:
    assert parse_place(text) == Place(nodes=nodes, path=path)
    assert str(parse_place(text)) == text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", b"/h/"),
        ("x", b"/h/x"),
        ("/x", b"/x"),
        ("~", b"/h/"),
        ("~/x", b"/h/x"),
        ("~x", b"/h/~x"),
    ],
)
def test_path_of_a_node_counts_from_the_home_directory(path: str, expected: bytes) -> None:
    assert absolute(path, b"/h") == expected


@pytest.mark.parametrize(
    ("path", "name"), [(b"/a/b/", b"b"), (b"/", b""), (b"/a/..", b""), (b".", b""), (b"b", b"b")]
)
def test_copy_is_called_as_the_last_name(path: bytes, name: bytes) -> None:
    assert last_name(path) == name


def planned(*texts: str, here: str = "") -> list[tuple[str, str]]:
    *sources, target = map(parse_place, texts)
    return [told(errand) for errand in errands(sources, target, here, expand)]


def told(errand: Errand) -> tuple[str, str]:
    return errand.at, " ".join(map(str, (*errand.sources, errand.target)))


def test_two_nodes_copy_without_a_third() -> None:
    assert planned("n1:/a", "n2:/b") == [("n2", "n1:/a n2:/b")]
    assert planned("n1:/a", "n2:/b", here="n1") == [("", "n1:/a n2:/b")]
    assert planned("n1:/a", "n2:/b", here="n2") == [("", "n1:/a n2:/b")]
    assert planned("n2:/a", "n2:/b", here="n1") == [("n2", "n2:/a n2:/b")]


def test_this_machine_copies_what_is_its_own() -> None:
    assert planned("a", "n2:/b") == [("", "a n2:/b")]
    assert planned("n2:/b", "a") == [("", "n2:/b a")]
    assert planned("a", "n1:b", "n2:c") == [("", "a n2:c/"), ("n2", "n1:b n2:c/")]


def test_several_sources_want_a_directory() -> None:
    assert planned("a", "b", "n1:") == [("", "a b n1:./")]
    assert planned("a", "b", "n1:c/.") == [("", "a b n1:c/.")]


def test_set_of_nodes_is_as_many_targets_and_no_source() -> None:
    assert planned("a", "n[1-2]:/x") == [("", "a n1:/x"), ("", "a n2:/x")]
    with pytest.raises(UsageError):
        planned("n[1-2]:/x", "a")
