"""What every request and every answer is, and the answer that tells nothing but success.

A request's class names what to do, in the imperative; its docstring names the reply. Classes with
``bulk = True`` travel on the bulk socket, those with ``mutating = True`` are done at most once per
request id. New fields have defaults, so that an older peer's message still decodes.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class RequestMessage(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What all requests share: on which socket they travel and whether they change anything."""

    bulk: ClassVar[bool] = False
    mutating: ClassVar[bool] = False


class ReplyMessage(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What all replies share."""


class Done(ReplyMessage, frozen=True, tag="done"):
    """It is done, and there is nothing to tell."""
