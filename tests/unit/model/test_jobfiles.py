"""Which files a job takes with it, from what its user said."""

import pytest

from ssi.model.errors import UsageError
from ssi.model.jobfiles import Bind, JobFiles, default_binds, ordered, parse_bind


@pytest.mark.parametrize(
    ("text", "node", "source", "target"),
    [
        ("/data", "n1", "/data", "/data"),
        ("/data:/mnt", "n1", "/data", "/mnt"),
        ("n2:/data", "n2", "/data", "/data"),
        ("n2:/data:/mnt/x/", "n2", "/data", "/mnt/x"),
        ("./in:out", "n1", "/project/in", "/project/out"),
        ("..", "n1", "/", "/"),
    ],
)
def test_bind_is_read(text: str, node: str, source: str, target: str) -> None:
    if target == "/":
        with pytest.raises(UsageError, match="--root home"):
            parse_bind(text, "n1", "/project")
    else:
        wanted = Bind(node=node, source=source, target=target, is_asked=True)
        assert parse_bind(text, "n1", "/project") == wanted


@pytest.mark.parametrize("text", ["", ":", "a:b:c:d", "n2:", "/a:/proc", "/a:/ssi/n"])
def test_bind_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_bind(text, "n1", "/project")


@pytest.mark.parametrize(
    ("cwd", "targets"),
    [
        ("/home/ada", ["/home/ada"]),
        ("/home/ada/x", ["/home/ada"]),
        ("/home/adam", ["/home/ada", "/home/adam"]),
        ("/tmp", ["/home/ada", "/tmp"]),
        ("/usr/src/x", ["/home/ada", "/usr/src/x"]),
        *((path, ["/home/ada"]) for path in ("/", "/etc/x", "/usr", "/usr/lib", "/dev/shm", "")),
    ],
)
def test_home_and_cwd_come_along_and_what_is_the_machines_stays(
    cwd: str, targets: list[str]
) -> None:
    assert [bind.target for bind in default_binds("n1", "/home/ada", cwd)] == targets


def test_last_bind_of_a_path_counts_and_outer_ones_come_first() -> None:
    binds = [
        Bind(node="n1", source="/a", target="/x/y"),
        Bind(node="n1", source="/b", target="/x"),
        Bind(node="n2", source="/c", target="/x/y"),
    ]
    assert [bind.source for bind in ordered(binds)] == ["/b", "/c"]


def test_what_is_seen_from_everywhere_is_told_from_the_nodes_own() -> None:
    files = JobFiles(home="n1", binds=default_binds("n1", "/home/ada", "/project"))
    assert all(files.cover(path) for path in ("/home/ada/f", "/project", "/ssi/n/n3/etc/passwd"))
    assert not any(files.cover(path) for path in ("/home/adam/f", "/etc/passwd", "/"))
    assert (files.root, files.nodes()) == ("", ("n1",))
    assert JobFiles(home="n1", is_whole=True).root == "/ssi/n/n1"
