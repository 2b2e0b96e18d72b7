import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.mechanism.crimage import (
    BadImage,
    decode_fields,
    encode_fields,
    join_image,
    number_of,
    split_image,
)

PSTREE = bytes.fromhex("19435654303027500e00000008e807100018e80720e80728e807")


def test_real_image_is_taken_apart_and_put_together_again() -> None:
    head, entries = split_image(PSTREE)
    (fields,) = (decode_fields(entry) for entry in entries)
    assert [(field.number, field.value) for field in fields] == [
        (1, 1000),
        (2, 0),
        (3, 1000),
        (4, 1000),
        (5, 1000),
    ]
    assert join_image(head, [encode_fields(fields)]) == PSTREE


def test_absent_number_is_a_bad_image() -> None:
    with pytest.raises(BadImage):
        number_of([], 1)


@pytest.mark.parametrize("cut", range(9, len(PSTREE)))
def test_cut_image_is_a_bad_image(cut: int) -> None:
    with pytest.raises(BadImage):
        [decode_fields(entry) for entry in split_image(PSTREE[:cut])[1]]


@given(st.binary(max_size=100))
def test_bytes_that_can_be_read_are_written_back_with_the_same_meaning(data: bytes) -> None:
    try:
        fields = decode_fields(data)
    except BadImage:
        return
    assert decode_fields(encode_fields(fields)) == fields
