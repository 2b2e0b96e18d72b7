"""Images are read whole and in order, whenever CRIU writes them."""

from __future__ import annotations

import zlib
from pathlib import Path

from nodeagent.migration.describe import CHUNK_BYTES
from nodeagent.migration.images import HEAD_BYTES, ImageReader, checksum_of

PAGES = bytes(range(256)) * (CHUNK_BYTES // 256)


def test_every_image_is_read_once_all_is_written(tmp_path: Path) -> None:
    (tmp_path / "core-1.img").write_bytes(b"core")
    (tmp_path / "empty.img").write_bytes(b"")
    reader = ImageReader(tmp_path)
    reader.written.set()
    assert [(piece.file, piece.data) for piece in reader.pieces()] == [
        ("core-1.img", b"core"),
        ("empty.img", b""),
    ]
    assert reader.manifest.entries == [
        ("core-1.img", 4, zlib.crc32(b"core")),
        ("empty.img", 0, 0),
    ]


def test_pages_leave_in_whole_chunks_while_more_are_written(tmp_path: Path) -> None:
    pages = tmp_path / "pages-1.img"
    pages.write_bytes(PAGES + b"half")
    (tmp_path / "mm-1.img").write_bytes(b"may still be mended")
    reader = ImageReader(tmp_path)
    pieces = reader.pieces()
    assert next(pieces).data == PAGES
    with pages.open("ab") as file:
        file.write(b" and the rest")
    reader.written.set()
    rest = list(pieces)
    assert [piece.file for piece in rest] == ["mm-1.img", "pages-1.img"]
    assert (rest[1].offset, rest[1].data) == (CHUNK_BYTES, b"half and the rest")
    checksum = zlib.crc32(PAGES[:HEAD_BYTES] + b"half and the rest")
    assert ("pages-1.img", CHUNK_BYTES + 17, checksum) in reader.manifest.entries


def test_nothing_more_is_read_once_the_dump_has_failed(tmp_path: Path) -> None:
    (tmp_path / "pages-1.img").write_bytes(PAGES * 2)
    reader = ImageReader(tmp_path)
    pieces = reader.pieces()
    assert next(pieces).offset == 0
    reader.give_up()
    assert list(pieces) == []


def test_pieces_of_memory_that_changed_places_are_found() -> None:
    one, other = b"1" * CHUNK_BYTES, b"2" * CHUNK_BYTES
    name = "pages-1.img"
    right = checksum_of(name, other, checksum_of(name, one, 0))
    assert checksum_of(name, one, checksum_of(name, other, 0)) != right
    assert checksum_of(name, one, checksum_of(name, one, 0)) != right


def test_memory_that_went_ahead_is_checked_like_the_rest() -> None:
    memory = bytes(2 * HEAD_BYTES)
    assert checksum_of("ahead-0/pages-1.img", memory, 0) == checksum_of("pages-1.img", memory, 0)


def test_every_byte_of_any_other_image_counts() -> None:
    image = bytes(2 * HEAD_BYTES)
    assert checksum_of("mm-1.img", image[:-1] + b"x", 0) != checksum_of("mm-1.img", image, 0)
