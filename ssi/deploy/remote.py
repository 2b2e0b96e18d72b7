"""The deployer's end of the program that works on a host: orders there, typed answers back."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
import paramiko

from ssi.deploy import loader
from ssi.deploy.bundle import Layer
from ssi.deploy.connection import Connection, translated
from ssi.deploy.errors import NoPython, RemoteStepFailed
from ssi.deploy.platform import Libc, Platform
from ssi.model.errors import FieldValue, SsiError
from ssi.model.unreadable import UNREADABLE

STEP_TIMEOUT_S = 30.0
"""For a step on the host; for a bundle, between two pieces of it that it takes."""

LOCK_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 20.0
_MARGIN_S = 10.0
_LONGEST_LINE = 64 * 1024 * 1024


class Deployed(msgspec.Struct, frozen=True):
    """What was deployed on the host before: the node's name and its layers; empty for nothing."""

    name: str = ""
    agent: str = ""
    faces: str = ""


class Probe(msgspec.Struct, frozen=True):
    """What a host is. ``address`` is its own, as the SSH connection reached it."""

    python: tuple[int, int, int]
    abi: str
    arch: str
    libc: tuple[Libc, int, int]
    is_root: bool
    criu: str
    fuse: bool
    systemd: bool
    cgroup: int
    free_bytes: int
    address: str
    deployed: Deployed
    system: str

    @property
    def platform(self) -> Platform:
        """What decides about wheels."""
        return Platform(
            python=self.python[:2],
            abi=self.abi,
            arch=self.arch,
            libc=self.libc[0],
            libc_version=self.libc[1:],
        )


class Ready(msgspec.Struct, frozen=True):
    """What an agent tells of itself; ``started``: it was started just now."""

    public_key: str
    control_port: int
    bulk_port: int
    pulse_port: int
    pid: int
    version: str
    bundle: str
    started: bool
    files_port: int = 0
    signing_key: str = ""


class Sight(msgspec.Struct, frozen=True):
    """What of ssi is on a host now.

    Attributes:
        agent: Whether its agent answers.
        shims: How many live; each has a job.
        there: Whether anything of ssi is there at all.
    """

    agent: bool
    shims: int
    there: bool


class _Missing(msgspec.Struct, frozen=True):
    missing: tuple[str, ...]


class _Replies(msgspec.Struct, frozen=True):
    replies: tuple[str, ...]


class _Left(msgspec.Struct, frozen=True):
    left: tuple[str, ...]


class _Nothing(msgspec.Struct, frozen=True):
    pass


class _Failure(msgspec.Struct, frozen=True):
    word: str
    fields: dict[str, FieldValue]


class _Event(msgspec.Struct, frozen=True):
    event: str


AnswerT = TypeVar("AnswerT", bound=msgspec.Struct)


class Remote:
    """A host on which our program runs, until the connection ends.

    Raises:
        SsiError: Each method, whatever the host failed with, or why it fell silent.
    """

    def __init__(self, connection: Connection) -> None:
        self._host = connection.target.name
        self._channel = connection.run(loader.command(), STEP_TIMEOUT_S)
        self._unread = b""
        self._send_frame(loader.program(), "the start of Python")
        self.probe = self._answer("the probe", "probed", Probe, STEP_TIMEOUT_S)

    def reserve(self, holder: str, layers: Sequence[Layer]) -> tuple[str, ...]:
        """Keeps other deployments away until the connection ends; names the missing layers."""
        order = {
            "holder": holder,
            "timeout_s": LOCK_TIMEOUT_S,
            "needed_bytes": {layer.name: layer.disk_bytes for layer in layers},
        }
        answer = self._order("reserve", order, _Missing, LOCK_TIMEOUT_S + _MARGIN_S)
        return answer.missing

    def put(self, layer: Layer, in_use: Sequence[str]) -> None:
        """Sends a layer; it is there whole afterwards, or not at all."""
        digest = hashlib.sha256(layer.archive).hexdigest()
        order = {"name": layer.name, "sha256": digest, "in_use": list(in_use)}
        self._send_order("put", order)
        self._send_frame(layer.archive, "put")
        self._answer("put", "done", _Nothing, STEP_TIMEOUT_S)

    def start(self, name: str, agent: Layer, faces: Layer | None) -> Ready:
        """The agent runs from that layer; nothing changes where it does already."""
        order = {
            "name": name,
            "agent": agent.name,
            "faces": faces.name if faces is not None else "",
            "limit_s": READY_TIMEOUT_S,
        }
        return self._order("start", order, Ready, READY_TIMEOUT_S + STEP_TIMEOUT_S)

    def ask(self, requests: Sequence[bytes]) -> list[bytes]:
        """The answers of the host's agent to requests at its door, all encoded envelopes."""
        order = {"requests": [base64.b64encode(each).decode() for each in requests]}
        answer = self._order("ask", order, _Replies, STEP_TIMEOUT_S)
        return [base64.b64decode(each) for each in answer.replies]

    def look(self) -> Sight:
        """What of ssi is there."""
        return self._order("look", {}, Sight, STEP_TIMEOUT_S)

    def remove(self) -> tuple[str, ...]:
        """Takes ssi off the host; names what could not be removed."""
        return self._order("remove", {}, _Left, STEP_TIMEOUT_S).left

    def _order(
        self, step: str, order: Mapping[str, object], kind: type[AnswerT], timeout_s: float
    ) -> AnswerT:
        self._send_order(step, order)
        return self._answer(step, "done", kind, timeout_s)

    def _send_order(self, step: str, order: Mapping[str, object]) -> None:
        self._send_frame(json.dumps({"do": step, **order}).encode(), step)

    def _send_frame(self, frame: bytes, step: str) -> None:
        self._channel.settimeout(STEP_TIMEOUT_S)
        try:
            with translated(self._host, step, STEP_TIMEOUT_S):
                self._channel.sendall(len(frame).to_bytes(4, "big") + frame)
        except SsiError:
            if self._channel.exit_status_ready() or self._channel.closed:
                raise self._ended(step) from None  # why it ended tells more than that it did
            raise

    def _answer(self, step: str, event: str, kind: type[AnswerT], timeout_s: float) -> AnswerT:
        """The next line that is ours; a login shell may have written others before it."""
        give_up_at_s = time.monotonic() + timeout_s
        while True:
            line = self._read_line(step, give_up_at_s, timeout_s)
            if not line.startswith(b'{"event"'):
                continue
            try:
                if msgspec.json.decode(line, type=_Event).event == event:
                    return msgspec.json.decode(line, type=kind)
                failure = msgspec.json.decode(line, type=_Failure)
            except UNREADABLE as exc:
                raise RemoteStepFailed(host=self._host, step=step, reason=str(exc)) from exc
            raise SsiError.from_wire(failure.word, {**failure.fields, "host": self._host})

    def _read_line(self, step: str, give_up_at_s: float, timeout_s: float) -> bytes:
        while b"\n" not in self._unread:
            self._channel.settimeout(max(0.01, give_up_at_s - time.monotonic()))
            with translated(self._host, step, timeout_s):
                piece = self._channel.recv(256 * 1024)
            if not piece:
                raise self._ended(step)
            self._unread += piece
            if len(self._unread) > _LONGEST_LINE:
                raise RemoteStepFailed(host=self._host, step=step, reason="a line without an end")
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _ended(self, step: str) -> SsiError:
        """Why the program on the host ended."""
        self._channel.settimeout(2.0)
        self._channel.status_event.wait(2.0)  # it comes just after the end of the output
        try:
            complaint = self._channel.recv_stderr(64 * 1024).decode(errors="replace")
        except (TimeoutError, OSError, paramiko.SSHException):
            complaint = ""
        status = self._channel.recv_exit_status() if self._channel.exit_status_ready() else -1
        if status in {126, 127} and "python3" in complaint:
            return NoPython(host=self._host)
        words = complaint.strip().splitlines() or [f"it ended with status {status}"]
        return RemoteStepFailed(host=self._host, step=step, reason=words[-1][-300:])
