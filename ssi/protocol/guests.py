"""What is asked of a node by somebody who wants to use its files for a while."""

from __future__ import annotations

from typing import ClassVar

from ssi.protocol.message import ReplyMessage, RequestMessage


class AllowFiles(RequestMessage, frozen=True, tag="allow-files"):
    """Lets whoever has a key ask the node's file server as the user who asks: a *guest*.

    Answered by :class:`FilesAllowed`. It is asked again before the time is over.

    Attributes:
        public_key: Made for this alone, and never kept.
        lease_s: For so long; 0 ends it.
    """

    mutating: ClassVar[bool] = True
    public_key: str
    lease_s: float


class FilesAllowed(ReplyMessage, frozen=True, tag="files-allowed"):
    """The user whom the file server takes the guest for, and that user's home directory there."""

    user: str
    home: str
