"""What is said to CRIU, and by it, over the socket of ``criu swrk``: one protobuf a datagram.

Options come with its command line, so a request is short: make a restore, and tell of each stage.
A stage waits for the answer. Source: CRIU 4.2 ``images/rpc.proto``, ``criu/cr-service.c``.
"""

from __future__ import annotations

from typing import Final

from nodeagent.mechanism.crimage import BadImage, Field, decode_fields, encode_fields

POST_RESTORE: Final = "post-restore"
"""All is there, and nothing runs yet; a refusal kills what was restored."""

PRE_RESUME: Final = "pre-resume"
"""Every thread stands before its next instruction."""

MAX_BYTES: Final = 65536

_VARINT: Final = 0
_BYTES: Final = 2
_RESTORE: Final = 2
_NOTIFY: Final = 6
_NO_DESCRIPTOR: Final = (1 << 64) - 1  # -1, as protobuf has it

_REQUEST_TYPE: Final = 1
_REQUEST_OPTIONS: Final = 2
_REQUEST_NOTIFIED: Final = 3

_OPTION_IMAGES_DESCRIPTOR: Final = 1
_OPTION_NOTIFIES: Final = 12
_OPTION_IMAGES: Final = 68

_TOLD_TYPE: Final = 1
_TOLD_NOTICE: Final = 5
_NOTICE_STAGE: Final = 1


def restore_request(images: str) -> bytes:
    """Asks for a restore from a directory.

    Raises:
        UnicodeEncodeError: The path is no text.
    """
    options = encode_fields(
        (
            Field(_OPTION_IMAGES_DESCRIPTOR, _VARINT, _NO_DESCRIPTOR),
            Field(_OPTION_NOTIFIES, _VARINT, 1),
            Field(_OPTION_IMAGES, _BYTES, images.encode()),
        )
    )
    return encode_fields(
        (Field(_REQUEST_TYPE, _VARINT, _RESTORE), Field(_REQUEST_OPTIONS, _BYTES, options))
    )


def answer(*, go_on: bool) -> bytes:
    """To a stage: CRIU goes on, or fails."""
    return encode_fields(
        (Field(_REQUEST_TYPE, _VARINT, _NOTIFY), Field(_REQUEST_NOTIFIED, _VARINT, int(go_on)))
    )


def stage_of(told: bytes) -> str:
    """The stage of which CRIU tells; empty where it tells of anything else, as of its end.

    Raises:
        BadImage: It is no message as we know them.
    """
    fields = {field.number: field.value for field in decode_fields(told)}
    if fields.get(_TOLD_TYPE) != _NOTIFY:
        return ""
    notice = fields.get(_TOLD_NOTICE)
    if isinstance(notice, bytes):
        for field in decode_fields(notice):
            if field.number == _NOTICE_STAGE and isinstance(field.value, bytes):
                return field.value.decode(errors="replace")
    raise BadImage("CRIU tells of a stage without a name")
