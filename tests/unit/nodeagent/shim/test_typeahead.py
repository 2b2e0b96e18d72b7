import struct
import termios

from hypothesis import given
from hypothesis import strategies as st

from nodeagent.shim.typeahead import SETTINGS_BYTES, Settings, keys_to_give

CHARACTERS = bytes(
    {
        termios.VINTR: 3,
        termios.VEOF: 4,
        termios.VERASE: 127,
        termios.VSTOP: 19,
        termios.VMIN: 1,
    }.get(index, 0)
    for index in range(19)
)
COOKED = Settings(
    input=termios.ICRNL | termios.IXON,
    output=termios.OPOST,
    control=termios.CS8,
    local=termios.ICANON | termios.ISIG | termios.ECHO | termios.IEXTEN,
    line=0,
    characters=CHARACTERS,
)
RAW = Settings(
    input=0, output=0, control=termios.CS8, local=0, line=0, characters=CHARACTERS
)  # fmt: skip


def test_settings_are_what_the_kernel_gives() -> None:
    assert SETTINGS_BYTES == 36
    data = struct.pack("=IIIIB19s", 1, 2, 3, 4, 5, bytes(range(19)))
    assert Settings.from_bytes(data).to_bytes() == data
    assert Settings.from_bytes(data).local == 4


def test_taking_gives_every_byte_at_once_and_changes_no_output() -> None:
    settings = COOKED.for_taking()
    assert not settings.by_lines
    assert settings.local & (termios.ISIG | termios.ECHO) == 0
    assert settings.input & (termios.ICRNL | termios.IXON) == 0
    assert settings.output == COOKED.output
    assert settings.characters[termios.VMIN] == 1


def test_giving_edits_nothing_and_still_reads_by_lines() -> None:
    settings, keys = keys_to_give(COOKED, b"one\ntw\x7f")
    assert keys == b"one\ntw\x7f"
    assert settings.by_lines
    assert settings.characters[termios.VERASE] == 0
    assert settings.local & (termios.ISIG | termios.ECHO) == 0


def test_end_of_file_is_given_by_a_key_that_was_not_typed() -> None:
    settings, keys = keys_to_give(COOKED, b"\x01\x04\n\0")
    assert settings.characters[termios.VEOF] == 2
    assert keys == b"\x01\x04\n\x02"


def test_zero_is_a_byte_like_others_where_nothing_is_read_by_lines() -> None:
    _, keys = keys_to_give(RAW, b"a\0b")
    assert keys == b"a\0b"


def test_stop_key_counts_only_where_it_stops() -> None:
    assert COOKED.stop_key == 19
    assert RAW.stop_key == 0


@given(st.binary(max_size=4096))
def test_number_of_keys_is_the_number_of_bytes_taken(taken: bytes) -> None:
    for settings in (COOKED, RAW):
        changed, keys = keys_to_give(settings, taken)
        assert len(keys) == len(taken)
        end_key = changed.characters[termios.VEOF]
        if settings.by_lines and end_key:
            assert keys.count(end_key) == taken.count(0)
