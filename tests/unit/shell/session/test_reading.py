from __future__ import annotations

import asyncio

import pytest

from shell.session.reading import is_incomplete


@pytest.mark.parametrize(
    "text", ["if true", "while true", "echo 'a", "a |", "a &&", "a \\", "f() {", "cat <<E\nx"]
)
def test_more_has_to_come(text: str) -> None:
    assert asyncio.run(is_incomplete(text))


@pytest.mark.parametrize("text", ["true", "if true; then x; fi", "fi", "a )", "echo if"])
def test_bash_would_run_it_or_complain(text: str) -> None:
    assert not asyncio.run(is_incomplete(text))
