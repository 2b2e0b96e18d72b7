"""Numbers that are never given twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodeagent.files import replace_file
from nodeagent.services.sequence import BLOCK, LAST, Sequence
from ssi.protocol.refusals import SequenceBroken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sequence"


def test_numbers_of_a_new_node_start_at_one_and_ascend(path: Path) -> None:
    numbers = Sequence(path)
    assert [numbers.next() for _ in range(3)] == [1, 2, 3]


def test_crash_repeats_no_number(path: Path) -> None:
    before = Sequence(path)
    given = {before.next() for _ in range(BLOCK + 5)}
    after = Sequence(path)
    assert after.next() > max(given)


def test_block_is_on_the_disk_before_its_first_number_is_given(path: Path) -> None:
    Sequence(path).next()
    assert int(path.read_text()) == 1 + BLOCK


def test_agent_that_gives_no_number_uses_up_none(path: Path) -> None:
    Sequence(path).next()
    for _ in range(5):
        Sequence(path)
    assert Sequence(path).next() == 1 + BLOCK


def test_disk_is_written_once_per_block(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []

    def write(file: Path, content: bytes) -> None:
        writes.append(content)
        replace_file(file, content)

    monkeypatch.setattr("nodeagent.services.sequence.replace_file", write)
    numbers = Sequence(path)
    for _ in range(2 * BLOCK + 1):
        numbers.next()
    assert writes == [b"1001\n", b"2001\n", b"3001\n"]


@pytest.mark.parametrize("content", [b"", b"abc\n", b"-5\n", b"0\n", b"\xff\xff", b"99999999\n"])
def test_broken_file_is_refused_and_not_taken_for_a_new_one(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(SequenceBroken, match="sequence"):
        Sequence(path).next()
    assert path.read_bytes() == content


def test_full_disk_gives_no_number_and_the_next_try_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    numbers = Sequence(path)
    with monkeypatch.context() as patch:
        patch.setattr("nodeagent.services.sequence.replace_file", full)
        with pytest.raises(SequenceBroken, match="No space left"):
            numbers.next()
    assert numbers.next() == 1


def test_last_number_is_given_and_none_after(path: Path) -> None:
    path.write_text(f"{LAST}\n")
    numbers = Sequence(path)
    assert numbers.next() == LAST
    with pytest.raises(SequenceBroken, match="used up"):
        numbers.next()
    with pytest.raises(SequenceBroken, match="used up"):
        Sequence(path).next()
