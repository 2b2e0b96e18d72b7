"""What is said to CRIU, and by it, over the socket of ``criu swrk``: one protobuf a datagram.

What CRIU must know before it begins is in its command line; a request tells the rest. A restore
tells of each stage, and waits there for the answer. Source: CRIU 4.2 ``images/rpc.proto``,
``criu/cr-service.c``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from nodeagent.mechanism.crimage import BadImage, Field, decode_fields, encode_fields

POST_RESTORE: Final = "post-restore"
"""All is there, and nothing runs yet; a refusal kills what was restored."""

PRE_RESUME: Final = "pre-resume"
"""Every thread stands before its next instruction."""

MAX_BYTES: Final = 65536

_VARINT: Final = 0
_BYTES: Final = 2
_DUMP: Final = 1
_RESTORE: Final = 2
_NOTIFY: Final = 6
_PRE_DUMP: Final = 13  # one, and then CRIU ends
_NO_DESCRIPTOR: Final = (1 << 64) - 1  # -1, as protobuf has it

_REQUEST_TYPE: Final = 1
_REQUEST_OPTIONS: Final = 2
_REQUEST_NOTIFIED: Final = 3

_OPTION_IMAGES_DESCRIPTOR: Final = 1
_OPTION_PID: Final = 2
_OPTION_LEAVE_RUNNING: Final = 3
_OPTION_NOTIFIES: Final = 12
_OPTION_PARENT: Final = 14
_OPTION_TRACK: Final = 15
_OPTION_AUTO_DEDUP: Final = 16
_OPTION_RESTORE_SIBLING: Final = 26
_OPTION_INHERIT: Final = 27
_OPTION_FREEZER: Final = 44
_OPTION_LAZY: Final = 48
_OPTION_PRE_DUMP_MODE: Final = 61
_OPTION_IMAGES: Final = 68
_OPTION_LEAVE_STOPPED: Final = 69

_READ_WHILE_IT_RUNS: Final = 2  # criu_pre_dump_mode VM_READ

_INHERIT_KEY: Final = 1
_INHERIT_DESCRIPTOR: Final = 2

_TOLD_TYPE: Final = 1
_TOLD_SUCCESS: Final = 2
_TOLD_NOTICE: Final = 5
_NOTICE_STAGE: Final = 1


class Told(NamedTuple):
    """What CRIU says.

    Attributes:
        stage: That it has come to, and where it waits; empty: it is at its end.
        is_well: Of an end: all was done.
    """

    stage: str
    is_well: bool


def pre_dump_request(root: int, images: str, parent: str) -> bytes:
    """Asks for the memory of the tree of ``root``, which runs on: what was written to since.

    It stands still only while CRIU notes which pages those are; they are read while it runs, by
    process_vm_readv(2). What is written to meanwhile, the next such request or dump takes again.

    Args:
        root: First process, as CRIU sees it.
        images: An existing directory.
        parent: That of the request before, as a path from ``images``; empty: all of the memory.

    Raises:
        UnicodeEncodeError: A path is no text.
    """
    options = (
        Field(_OPTION_PID, _VARINT, root),
        Field(_OPTION_PRE_DUMP_MODE, _VARINT, _READ_WHILE_IT_RUNS),
        *_since(parent),
    )
    return _request(_PRE_DUMP, images, options)


def dump_request(root: int, images: str, *, freezer: str = "", parent: str = "") -> bytes:
    """Asks for a dump of the tree of ``root``, which is left stopped, or frozen as it was.

    Args:
        root: First process, as CRIU sees it.
        images: An existing directory.
        freezer: Directory of the cgroup that holds the tree frozen, and goes on to; empty: none.
        parent: Images of the last :func:`pre_dump_request`, as a path from ``images``: memory that
            was not written to since is left to them; empty: all of it.

    Raises:
        UnicodeEncodeError: A path is no text.
    """
    left = (
        (
            Field(_OPTION_LEAVE_RUNNING, _VARINT, 1),
            Field(_OPTION_FREEZER, _BYTES, freezer.encode()),
        )
        if freezer
        else (Field(_OPTION_LEAVE_STOPPED, _VARINT, 1),)
    )
    since = _since(parent) if parent else ()
    return _request(_DUMP, images, (Field(_OPTION_PID, _VARINT, root), *left, *since))


def restore_request(
    images: str, pipes: Mapping[int, int], *, lazy: bool = False, spends: bool = False
) -> bytes:
    """Asks for a restore, as a child of the caller.

    Args:
        images: As a dump left them.
        pipes: Descriptor, in CRIU, that the restored job gets, by the inode of the pipe in the
            images.
        lazy: Memory that is not in the images comes by :func:`criu.lazy_pages_arguments`.
        spends: Images of memory are given back to the kernel as they are read, at most 128 MiB
            after, so that no job needs its memory twice. They cannot be used a second time.

    Raises:
        UnicodeEncodeError: The path is no text.
    """
    inherited = [
        encode_fields(
            (
                Field(_INHERIT_KEY, _BYTES, f"pipe:[{inode}]".encode()),
                Field(_INHERIT_DESCRIPTOR, _VARINT, descriptor),
            )
        )
        for inode, descriptor in pipes.items()
    ]
    options = (
        Field(_OPTION_NOTIFIES, _VARINT, 1),
        Field(_OPTION_AUTO_DEDUP, _VARINT, int(spends)),
        Field(_OPTION_RESTORE_SIBLING, _VARINT, 1),
        *(Field(_OPTION_INHERIT, _BYTES, each) for each in inherited),
        Field(_OPTION_LAZY, _VARINT, int(lazy)),
    )
    return _request(_RESTORE, images, options)


def answer(*, go_on: bool) -> bytes:
    """To a stage: CRIU goes on, or fails."""
    return encode_fields(
        (Field(_REQUEST_TYPE, _VARINT, _NOTIFY), Field(_REQUEST_NOTIFIED, _VARINT, int(go_on)))
    )


def read_told(told: bytes) -> Told:
    """What CRIU says.

    Raises:
        BadImage: It is no message as we know them.
    """
    fields = {field.number: field.value for field in decode_fields(told)}
    if fields.get(_TOLD_TYPE) != _NOTIFY:
        return Told("", is_well=fields.get(_TOLD_SUCCESS) == 1)
    notice = fields.get(_TOLD_NOTICE)
    if isinstance(notice, bytes):
        for field in decode_fields(notice):
            if field.number == _NOTICE_STAGE and isinstance(field.value, bytes):
                return Told(field.value.decode(errors="replace"), is_well=True)
    raise BadImage("CRIU tells of a stage without a name")


def _since(parent: str) -> tuple[Field, ...]:
    """Notes what is written to from now on, and leaves out what was not since ``parent``."""
    track = Field(_OPTION_TRACK, _VARINT, 1)
    return (track, Field(_OPTION_PARENT, _BYTES, parent.encode())) if parent else (track,)


def _request(kind: int, images: str, options: Iterable[Field]) -> bytes:
    fields = (
        Field(_OPTION_IMAGES_DESCRIPTOR, _VARINT, _NO_DESCRIPTOR),
        *options,
        Field(_OPTION_IMAGES, _BYTES, images.encode()),
    )
    return encode_fields(
        (
            Field(_REQUEST_TYPE, _VARINT, kind),
            Field(_REQUEST_OPTIONS, _BYTES, encode_fields(fields)),
        )
    )
