"""Settings as a file: what is written is read again, and what is wrong is told."""

from __future__ import annotations

import pytest

from ssi.model.errors import UsageError
from tui.settings import Settings, parse_settings, settings_text


def test_what_is_written_is_read_again() -> None:
    chosen = Settings(every_s=2.0, theme="light", columns=("gpid", "command"), tree=True)
    assert parse_settings(settings_text(chosen)) == chosen
    assert settings_text(chosen).count("#") > 6, "each says what it means"


def test_what_a_file_does_not_name_is_as_without_one() -> None:
    assert parse_settings("") == Settings()
    assert parse_settings("every_s = 3") == Settings(every_s=3.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("colour = 1", "no setting 'colour'"),
        ("theme = 'pink'", "theme = 'pink'"),
        ("every_s = 0.0", "every_s"),
        ("readonly = 'yes'", "readonly"),
        ("columns = ['gpid']", "columns"),
        ("columns = ['gpid', 7, 'command']", "columns"),
        ("= =", "cannot be read"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_settings(text)
