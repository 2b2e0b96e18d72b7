import pytest

from nodeagent.mechanism import criurpc
from nodeagent.mechanism.crimage import BadImage, Field, decode_fields, encode_fields


def told(stage: bytes, *, kind: int = 6) -> bytes:
    """What CRIU says at a stage, as its ``criu_resp``."""
    notice = encode_fields((Field(1, 2, stage), Field(2, 0, 1000)))
    return encode_fields((Field(1, 0, kind), Field(2, 0, 1), Field(5, 2, notice)))


def test_request_is_a_restore_from_a_directory_that_tells_of_its_stages() -> None:
    kind, options = decode_fields(criurpc.restore_request("/run/images"))
    assert (kind.number, kind.value) == (1, 2)
    assert options.number == 2 and isinstance(options.value, bytes)
    found = {field.number: field.value for field in decode_fields(options.value)}
    assert found == {1: 2**64 - 1, 12: 1, 68: b"/run/images"}


def test_answer_is_that_of_a_notification() -> None:
    assert criurpc.answer(go_on=True) == b"\x08\x06\x18\x01"
    assert criurpc.answer(go_on=False) == b"\x08\x06\x18\x00"


def test_stage_is_told_by_its_name_and_the_end_is_none() -> None:
    assert criurpc.stage_of(told(b"post-restore")) == criurpc.POST_RESTORE
    assert criurpc.stage_of(told(b"pre-resume")) == criurpc.PRE_RESUME
    assert criurpc.stage_of(encode_fields((Field(1, 0, 2), Field(2, 0, 0)))) == ""


def test_stage_without_a_name_is_not_understood() -> None:
    for wrong in (b"\x08", encode_fields((Field(1, 0, 6), Field(2, 0, 1)))):
        with pytest.raises(BadImage):
            criurpc.stage_of(wrong)
