"""Images that went ahead lie as CRIU looks for them, and nowhere else."""

from pathlib import Path

import pytest

from nodeagent.migration.images import ImageReader
from nodeagent.migration.roundimages import is_image_name, link_dump, make_round_of, round_name


def test_each_round_has_the_one_before_for_its_parent_and_the_dump_the_last(
    tmp_path: Path,
) -> None:
    names = [f"{round_name(number)}/pages-1.img" for number in range(3)]
    for name in (*names, *names, "pages-1.img"):
        make_round_of(tmp_path, name)
        (tmp_path / name).write_text(name)
    link_dump(tmp_path, [*names, "pages-1.img"])
    found, directory = [], tmp_path
    while (directory / "parent").exists():
        directory = directory / "parent"
        found.append((directory / "pages-1.img").read_text())
    assert found == list(reversed(names))


def test_a_dump_that_nothing_went_ahead_of_has_no_parent(tmp_path: Path) -> None:
    make_round_of(tmp_path, "ahead-0/pages-1.img")  # of rounds that were given up
    link_dump(tmp_path, ["pages-1.img", "core-1.img"])
    assert not (tmp_path / "parent").is_symlink()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".landing",
        "../x",
        "/etc/passwd",
        "a/b",
        "ahead-0/",
        "ahead-0/..",
        "ahead-0/.x",
        "ahead-0/a/b",
        "ahead-10/x",
        "ahead-/x",
        "ahead-0/x\n/../../y",
        "parent/x",
    ],
)
def test_no_image_is_written_elsewhere(name: str) -> None:
    assert not is_image_name(name)


def test_images_of_a_round_are_told_by_its_name(tmp_path: Path) -> None:
    part = tmp_path / "ahead-1"
    part.mkdir()
    (part / "pages-1.img").write_bytes(b"pages")
    (part / "parent").symlink_to("../ahead-0")
    (tmp_path / "pages-1.img").write_bytes(b"of the dump")
    reader = ImageReader(tmp_path, "ahead-1")
    reader.written.set()
    assert [(piece.file, piece.data) for piece in reader.pieces()] == [
        ("ahead-1/pages-1.img", b"pages")
    ]
    assert [name for name, _size, _checksum in reader.manifest.entries] == ["ahead-1/pages-1.img"]
