import pytest

from nodeagent.mechanism import criurpc
from nodeagent.mechanism.crimage import BadImage, Field, decode_fields, encode_fields


def told(stage: bytes, *, kind: int = 6) -> bytes:
    """What CRIU says at a stage, as its ``criu_resp``."""
    notice = encode_fields((Field(1, 2, stage), Field(2, 0, 1000)))
    return encode_fields((Field(1, 0, kind), Field(2, 0, 1), Field(5, 2, notice)))


def options_of(request: bytes, kind: int) -> list[Field]:
    """The options of a request, which has to be of that kind."""
    first, second = decode_fields(request)
    assert (first.number, first.value) == (1, kind)
    assert second.number == 2 and isinstance(second.value, bytes)
    return decode_fields(second.value)


def test_restore_tells_of_its_stages_and_gives_each_pipe_of_the_images_a_descriptor() -> None:
    options = options_of(
        criurpc.restore_request("/run/images", {501: 7, 502: 9}, lazy=True, spends=True), 2
    )
    assert [field.value for field in options if field.number == 27] == [
        encode_fields((Field(1, 2, b"pipe:[501]"), Field(2, 0, 7))),
        encode_fields((Field(1, 2, b"pipe:[502]"), Field(2, 0, 9))),
    ]
    found = {field.number: field.value for field in options if field.number != 27}
    assert found == {1: 2**64 - 1, 12: 1, 16: 1, 26: 1, 48: 1, 68: b"/run/images"}


def test_images_are_spent_and_memory_comes_late_only_where_they_shall() -> None:
    options = options_of(criurpc.restore_request("/run/images", {}), 2)
    found = {field.number: field.value for field in options}
    assert (found[16], found[48]) == (0, 0)


def test_dump_leaves_the_tree_stopped() -> None:
    options = options_of(criurpc.dump_request(1000, "/run/images"), 1)
    found = {field.number: field.value for field in options}
    assert found == {1: 2**64 - 1, 2: 1000, 68: b"/run/images", 69: 1}


def test_a_frozen_tree_is_dumped_in_its_freezer_and_gets_no_signal() -> None:
    options = options_of(criurpc.dump_request(1000, "/i", freezer="/sys/ssi/job-1"), 1)
    found = {field.number: field.value for field in options}
    assert found == {1: 2**64 - 1, 2: 1000, 3: 1, 44: b"/sys/ssi/job-1", 68: b"/i"}


def test_memory_is_read_while_the_tree_runs_and_only_what_was_written_to_since() -> None:
    first = options_of(criurpc.pre_dump_request(1000, "/i/ahead-0", ""), 13)
    second = options_of(criurpc.pre_dump_request(1000, "/i/ahead-1", "../ahead-0"), 13)
    found = {field.number: field.value for field in first}
    assert found == {1: 2**64 - 1, 2: 1000, 15: 1, 61: 2, 68: b"/i/ahead-0"}
    found = {field.number: field.value for field in second}
    assert found == {
        1: 2**64 - 1,
        2: 1000,
        14: b"../ahead-0",
        15: 1,
        61: 2,
        68: b"/i/ahead-1",
    }


def test_a_dump_leaves_to_its_parent_what_was_not_written_to() -> None:
    options = options_of(criurpc.dump_request(1000, "/i", parent="ahead-1"), 1)
    found = {field.number: field.value for field in options}
    assert found == {1: 2**64 - 1, 2: 1000, 14: b"ahead-1", 15: 1, 68: b"/i", 69: 1}


def test_answer_is_that_of_a_notification() -> None:
    assert criurpc.answer(go_on=True) == b"\x08\x06\x18\x01"
    assert criurpc.answer(go_on=False) == b"\x08\x06\x18\x00"


def test_stage_is_told_by_its_name_and_an_end_by_how_it_went() -> None:
    assert criurpc.read_told(told(b"post-restore")).stage == criurpc.POST_RESTORE
    assert criurpc.read_told(told(b"pre-resume")).stage == criurpc.PRE_RESUME
    assert criurpc.read_told(encode_fields((Field(1, 0, 2), Field(2, 0, 0)))) == ("", False)
    assert criurpc.read_told(encode_fields((Field(1, 0, 1), Field(2, 0, 1)))) == ("", True)


def test_stage_without_a_name_is_not_understood() -> None:
    for wrong in (b"\x08", encode_fields((Field(1, 0, 6), Field(2, 0, 1)))):
        with pytest.raises(BadImage):
            criurpc.read_told(wrong)
