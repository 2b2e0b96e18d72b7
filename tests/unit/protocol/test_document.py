"""The table of requests in the documentation is the one that the code has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from ssi.protocol.envelope import PROTOCOL_VERSION
from ssi.protocol.messages import ReplyBody, RequestBody
from tests.unit.nodeagent.test_audiences import AUDIENCES, CLIENT_AUDIENCES

TEXT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\w+) \| `([a-z-]+)` \| (\w+)[^|]*\| (yes)? ?\| (yes)? ?\| (\w+) \|", re.M)


def test_document_lists_every_request_as_it_is() -> None:
    listed = {
        name: (tag, who, mutating == "yes", bulk == "yes")
        for name, tag, who, mutating, bulk, _reply in ROW.findall(TEXT)
    }
    assert listed == {
        kind.__name__: (
            kind.__struct_config__.tag,
            {**AUDIENCES, **CLIENT_AUDIENCES}[kind].value,
            kind.mutating,
            kind.bulk,
        )
        for kind in get_args(RequestBody)
    }


def test_document_names_the_reply_that_each_request_promises() -> None:
    replies = {kind.__name__ for kind in get_args(ReplyBody)}
    promised = {name: reply for name, _tag, _who, _mutating, _bulk, reply in ROW.findall(TEXT)}
    assert set(promised.values()) == replies
    for kind in get_args(RequestBody):
        if kind.__doc__ and ":class:" in kind.__doc__:
            assert f":class:`{promised[kind.__name__]}`" in kind.__doc__, kind


def test_document_is_of_the_version_that_is_spoken() -> None:
    assert f"here is **{PROTOCOL_VERSION}**" in TEXT
