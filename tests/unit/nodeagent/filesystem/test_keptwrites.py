"""What the next worker finds of writes that had no answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodeagent.filesystem.mount.keptwrites import SLOTS, Kept, KeptWrites, Slot
from ssi.protocol.filerequests import MAX_DATA_BYTES


def taken(kept: KeptWrites, data: bytes) -> Slot:
    slot = kept.take()
    assert slot is not None
    slot.fill(memoryview(data))
    return slot


def test_next_worker_finds_what_was_kept_and_nothing_else(tmp_path: Path) -> None:
    first = KeptWrites(tmp_path / "writes")
    taken(first, b"never said to be done")
    done, other, one = (taken(first, text) for text in (b"answered", b"other", b"x" * 70_000))
    done.keep(Kept(1, 2, 3, 8, strip=False))
    first.give(done)
    other.keep(Kept(2, 7, 0, 5, strip=False))
    one.keep(Kept(1, 9, 1 << 40, 70_000, strip=True))
    second = KeptWrites(tmp_path / "writes")
    [(kept, slot)] = second.left(1)
    assert kept == Kept(1, 9, 1 << 40, 70_000, strip=True)
    assert bytes(slot.data) == b"x" * 70_000
    assert second.left(1) == []
    assert [each for each, _ in second.left(2)] == [Kept(2, 7, 0, 5, strip=False)]
    assert [second.take() is None for _ in range(SLOTS)] == [False] * (SLOTS - 2) + [True] * 2


def test_there_is_room_for_so_many_and_no_more(tmp_path: Path) -> None:
    kept = KeptWrites(tmp_path / "writes")
    slots = [taken(kept, bytes([number]) * MAX_DATA_BYTES) for number in range(SLOTS)]
    assert kept.take() is None
    for number, slot in enumerate(slots):
        assert slot.data == bytes([number]) * MAX_DATA_BYTES
    kept.give(slots[3])
    assert kept.take() is slots[3] and kept.take() is None


def test_nothing_is_kept_where_there_is_no_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = KeptWrites(tmp_path / "no such directory" / "writes")
    assert kept.take() is None and kept.take() is None
    assert caplog.text.count("event=no-write-behind") == 1


def test_file_that_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "writes").write_bytes(b"ssiwrit1")
    kept = KeptWrites(tmp_path / "writes")
    assert kept.left(1) == []
    taken(kept, b"x").keep(Kept(1, 1, 0, 1, strip=False))
    assert len(KeptWrites(tmp_path / "writes").left(1)) == 1
