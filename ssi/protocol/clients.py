"""How a machine that is no node serves its files to the jobs that were started from it."""

from __future__ import annotations

from typing import ClassVar

from ssi.model.client import ServedRow
from ssi.protocol.message import ReplyMessage, RequestMessage


class ServeFiles(RequestMessage, frozen=True, tag="serve-files"):
    """Tells the agent of one's own machine what a job that is about to start may see: ``Done``.

    Attributes:
        paths: Absolute; all that is below them comes along.
    """

    mutating: ClassVar[bool] = True
    paths: tuple[str, ...]


class ListServed(RequestMessage, frozen=True, tag="list-served"):
    """Asks the agent of one's own machine for whom it serves files: :class:`ServedList`."""


class ServedList(ReplyMessage, frozen=True, tag="served"):
    """The nodes whose jobs need the files of a machine that is none, and what they may see."""

    rows: tuple[ServedRow, ...]
    paths: tuple[str, ...] = ()


class OfferFiles(RequestMessage, frozen=True, tag="offer-files"):
    """A client-mode agent serves its user's files if they are needed: :class:`FilesWanted`.

    It is asked again and again; each answer waits until there is news.

    Attributes:
        host: What the machine calls itself.
        machine: Tells it from others that hold the same key.
        public_key: Of the file server: that of the agent.
        user: As whom it acts on its machine.
        group: First group of that user there.
        known: ``state`` of the last answer; 0 is none.
        wait_ms: How long the answer may wait where nothing has changed since.
    """

    host: str
    machine: str
    public_key: str
    user: str
    group: str
    known: int = 0
    wait_ms: int = 0


class FilesWanted(ReplyMessage, frozen=True, tag="files-wanted"):
    """Whether the files of a client are needed on a node, and where it awaits the client.

    Attributes:
        state: Of this answer; another one after each change.
        port: On which the mount waits for the client's file server; 0: nothing is needed.
        jobs: How many jobs there see its files.
        paths: Which of them, as the client's commands named them.
    """

    state: int
    port: int = 0
    jobs: int = 0
    paths: tuple[str, ...] = ()
