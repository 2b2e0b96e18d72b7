"""What the kernel asks, from bytes to values. Pure; any bytes either decode or are refused."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final

from nodeagent.filesystem.fuse.abi import Opcode
from nodeagent.filesystem.fuse.requests import (
    Allocate,
    Body,
    Copy,
    Create,
    Empty,
    Flush,
    Forget,
    GetAttr,
    GetXattr,
    Header,
    Initialise,
    Interrupt,
    Link,
    ListXattr,
    Lock,
    MakeNode,
    Name,
    Open,
    Read,
    Release,
    Rename,
    Request,
    Seek,
    SetAttr,
    SetXattr,
    Symlink,
    Sync,
    Write,
)

HEADER: Final = struct.Struct("=IIQQIIIHH")
_U32: Final = struct.Struct("=II")
_U64: Final = struct.Struct("=Q")
_GETATTR: Final = struct.Struct("=IIQ")
_SETATTR: Final = struct.Struct("=IIQQQQQQIIIIIIII")
_MKNOD: Final = struct.Struct("=IIII")
_READ: Final = struct.Struct("=QQIIQII")
_RELEASE: Final = struct.Struct("=QIIQ")
_FSYNC: Final = struct.Struct("=QII")
_FLUSH: Final = struct.Struct("=QIIQ")
_INIT: Final = struct.Struct("=IIII")
_LOCK: Final = struct.Struct("=QQQQIIII")
_CREATE: Final = struct.Struct("=IIII")
_FORGET_ONE: Final = struct.Struct("=QQ")
_FALLOCATE: Final = struct.Struct("=QQQII")
_RENAME2: Final = struct.Struct("=QII")
_LSEEK: Final = struct.Struct("=QQII")
_COPY: Final = struct.Struct("=QQQQQQQ")

MAX_FORGOTTEN: Final = 100_000


class BadRequest(ValueError):
    """Bytes that no kernel sends."""


def decode(message: memoryview) -> Request:
    """The request in what was read from /dev/fuse.

    Raises:
        BadRequest: It is too short, or lengths in it are wrong.
    """
    try:
        length, opcode, unique, node, uid, gid, pid, extra, _ = HEADER.unpack_from(message)
        if length != len(message):
            raise BadRequest(f"{len(message)} bytes, announced as {length}")
        parse = _PARSERS.get(opcode)
        payload = message[HEADER.size : length - 8 * extra if extra else length]
        body = parse(payload) if parse is not None else None
    except (struct.error, ValueError, IndexError) as exc:
        raise BadRequest(str(exc)) from exc
    return Request(Header(opcode, unique, node, uid, gid, pid), body)


def _names(payload: memoryview, count: int) -> list[bytes]:
    parts = bytes(payload).split(b"\0")
    if len(parts) <= count:
        raise BadRequest("a name without an end")
    return parts[:count]


def _name(payload: memoryview) -> Name:
    return Name(_names(payload, 1)[0])


def _forget(payload: memoryview) -> Forget:
    return Forget(((0, _U64.unpack_from(payload)[0]),))


def _batch_forget(payload: memoryview) -> Forget:
    count = _U32.unpack_from(payload)[0]
    if count > MAX_FORGOTTEN:
        raise BadRequest(f"{count} inodes")
    pairs = (_FORGET_ONE.unpack_from(payload, 8 + 16 * index) for index in range(count))
    return Forget(tuple((node, times) for node, times in pairs))


def _getattr(payload: memoryview) -> GetAttr:
    flags, _, handle = _GETATTR.unpack_from(payload)
    return GetAttr(flags, handle)


def _setattr(payload: memoryview) -> SetAttr:
    (valid, _, handle, size, _, atime_s, mtime_s, _, atime_ns, mtime_ns, _, mode, _, uid, gid,
     _) = _SETATTR.unpack_from(payload)  # fmt: skip
    return SetAttr(
        valid, handle, size, _time(atime_s, atime_ns), _time(mtime_s, mtime_ns), mode, uid, gid
    )


def _time(seconds: int, nanoseconds: int) -> int:
    """In nanoseconds; of a time before 1677 or after 2554 the nearest that can be told."""
    signed = seconds - (1 << 64) if seconds >= 1 << 63 else seconds
    return max(-(1 << 63), min(signed * 1_000_000_000 + nanoseconds, (1 << 64) - 1))


def _symlink(payload: memoryview) -> Symlink:
    return Symlink(*_names(payload, 2))


def _mknod(payload: memoryview) -> MakeNode:
    mode, device, _, _ = _MKNOD.unpack_from(payload)
    return MakeNode(mode, device, _names(payload[16:], 1)[0])


def _mkdir(payload: memoryview) -> MakeNode:
    mode, _ = _U32.unpack_from(payload)
    return MakeNode(mode, 0, _names(payload[8:], 1)[0])


def _rename(payload: memoryview) -> Rename:
    return Rename(_U64.unpack_from(payload)[0], 0, *_names(payload[8:], 2))


def _rename2(payload: memoryview) -> Rename:
    folder, flags, _ = _RENAME2.unpack_from(payload)
    return Rename(folder, flags, *_names(payload[16:], 2))


def _link(payload: memoryview) -> Link:
    return Link(_U64.unpack_from(payload)[0], _names(payload[8:], 1)[0])


def _open(payload: memoryview) -> Open:
    return Open(_U32.unpack_from(payload)[0])


def _create(payload: memoryview) -> Create:
    flags, mode, _, _ = _CREATE.unpack_from(payload)
    return Create(flags, mode, _names(payload[16:], 1)[0])


def _read(payload: memoryview) -> Read:
    return Read(*_READ.unpack_from(payload)[:3])


def _write(payload: memoryview) -> Write:
    handle, offset, size, flags, _, open_flags, _ = _READ.unpack_from(payload)
    data = payload[_READ.size :]
    if len(data) < size:
        raise BadRequest(f"{len(data)} of {size} bytes to write")
    return Write(handle, offset, flags, data[:size], open_flags)


def _release(payload: memoryview) -> Release:
    handle, _, flags, owner = _RELEASE.unpack_from(payload)
    return Release(handle, flags, owner)


def _sync(payload: memoryview) -> Sync:
    handle, flags, _ = _FSYNC.unpack_from(payload)
    return Sync(handle, flags)


def _flush(payload: memoryview) -> Flush:
    handle, _, _, owner = _FLUSH.unpack_from(payload)
    return Flush(handle, owner)


def _setxattr(payload: memoryview) -> SetXattr:
    size, flags = _U32.unpack_from(payload)
    name = _names(payload[8:], 1)[0]
    begin = 8 + len(name) + 1
    if len(payload) < begin + size:
        raise BadRequest("an attribute that is cut off")
    return SetXattr(flags, name, bytes(payload[begin : begin + size]))


def _getxattr(payload: memoryview) -> GetXattr:
    return GetXattr(_U32.unpack_from(payload)[0], _names(payload[8:], 1)[0])


def _listxattr(payload: memoryview) -> ListXattr:
    return ListXattr(_U32.unpack_from(payload)[0])


def _lock(payload: memoryview) -> Lock:
    return Lock(*_LOCK.unpack_from(payload)[:7])


def _interrupt(payload: memoryview) -> Interrupt:
    return Interrupt(_U64.unpack_from(payload)[0])


def _init(payload: memoryview) -> Initialise:
    major, minor, readahead_bytes, flags = _INIT.unpack_from(payload)
    if len(payload) >= 20:
        flags |= struct.unpack_from("=I", payload, 16)[0] << 32
    return Initialise(major, minor, readahead_bytes, flags)


def _fallocate(payload: memoryview) -> Allocate:
    return Allocate(*_FALLOCATE.unpack_from(payload)[:4])


def _lseek(payload: memoryview) -> Seek:
    return Seek(*_LSEEK.unpack_from(payload)[:3])


def _copy(payload: memoryview) -> Copy:
    return Copy(*_COPY.unpack_from(payload)[:6])


def _empty(_payload: memoryview) -> Empty:
    return Empty()


_PARSERS: Final[Mapping[int, Callable[[memoryview], Body]]] = {
    Opcode.LOOKUP: _name,
    Opcode.FORGET: _forget,
    Opcode.GETATTR: _getattr,
    Opcode.SETATTR: _setattr,
    Opcode.READLINK: _empty,
    Opcode.SYMLINK: _symlink,
    Opcode.MKNOD: _mknod,
    Opcode.MKDIR: _mkdir,
    Opcode.UNLINK: _name,
    Opcode.RMDIR: _name,
    Opcode.RENAME: _rename,
    Opcode.LINK: _link,
    Opcode.OPEN: _open,
    Opcode.READ: _read,
    Opcode.WRITE: _write,
    Opcode.STATFS: _empty,
    Opcode.RELEASE: _release,
    Opcode.FSYNC: _sync,
    Opcode.SETXATTR: _setxattr,
    Opcode.GETXATTR: _getxattr,
    Opcode.LISTXATTR: _listxattr,
    Opcode.REMOVEXATTR: _name,
    Opcode.FLUSH: _flush,
    Opcode.INIT: _init,
    Opcode.OPENDIR: _open,
    Opcode.READDIR: _read,
    Opcode.RELEASEDIR: _release,
    Opcode.FSYNCDIR: _sync,
    Opcode.GETLK: _lock,
    Opcode.SETLK: _lock,
    Opcode.SETLKW: _lock,
    Opcode.CREATE: _create,
    Opcode.INTERRUPT: _interrupt,
    Opcode.DESTROY: _empty,
    Opcode.BATCH_FORGET: _batch_forget,
    Opcode.FALLOCATE: _fallocate,
    Opcode.READDIRPLUS: _read,
    Opcode.RENAME2: _rename2,
    Opcode.LSEEK: _lseek,
    Opcode.COPY_FILE_RANGE: _copy,
}
