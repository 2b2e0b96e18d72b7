"""`ssi metrics`: where it listens, and what a scrape is answered."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ssi.cli import metrics
from ssi.cli.main import carry_out, tree
from ssi.cli.metrics import answer, parse_address
from ssi.cli.outcome import ended
from ssi.client.connection import Connection
from ssi.model.errors import UsageError


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:9464", ("::1", 9464)),
        ("n1.example.org:65535", ("n1.example.org", 65535)),
    ],
)
def test_without_an_address_it_is_this_machine_only(text: str, where: tuple[str, int]) -> None:
    assert parse_address(text) == where


@pytest.mark.parametrize("text", ["0", "65536", "x", ":9464", "::1:9464", "1 2:3"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        parse_address(text)


class Nobody:
    """A connection that only opens and closes."""

    async def __aenter__(self) -> Nobody:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


def test_a_scrape_is_answered_and_anything_else_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def opened() -> Nobody:
        return Nobody()

    async def look(_system: object) -> str:
        return "ssi_x 1\n"

    monkeypatch.setattr(Connection, "open", opened)
    monkeypatch.setattr(metrics, "look", look)

    def said(request: bytes) -> tuple[bytes, bytes]:
        head, _, body = asyncio.run(answer(request)).partition(b"\r\n\r\n")
        return head, body

    head, body = said(b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
    assert b"Content-Length: 8\r\n" in head
    assert body == b"ssi_x 1\n"
    assert said(b"HEAD /metrics HTTP/1.1\r\n\r\n")[1] == b""
    assert b" 404 " in said(b"GET / HTTP/1.1\r\n\r\n")[0]
    assert b" 405 " in said(b"POST /metrics HTTP/1.1\r\n\r\n")[0]
    assert b" 404 " in said(b"GET\r\n\r\n")[0] or b" 405 " in said(b"GET\r\n\r\n")[0]


def test_a_system_out_of_reach_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSI_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("SSI_DOOR", str(tmp_path / "none"))
    said = asyncio.run(answer(b"GET /metrics HTTP/1.1\r\n\r\n"))
    assert said.startswith(b"HTTP/1.1 503 ")


def test_an_address_of_others_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(lambda: carry_out(tree(), ("metrics", "--listen", "192.0.2.1:9464"))) == 2
    assert "cannot listen at 192.0.2.1:9464" in capsys.readouterr().err
