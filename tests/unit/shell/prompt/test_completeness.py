from __future__ import annotations

import pytest

from shell.prompt.completeness import is_surely_complete


@pytest.mark.parametrize("text", ["true", "ls -l /etc", "@n2 make -j8", "x=1", "git add a.b", ""])
def test_plain_words_are_complete(text: str) -> None:
    assert is_surely_complete(text)


@pytest.mark.parametrize(
    "text",
    ["if x", "echo 'a", "a |", "a \\", "a &&", "cat <<E", "f() {", "x=(", "while true", "a\n"],
)
def test_bash_is_asked_about_all_else(text: str) -> None:
    assert not is_surely_complete(text)
