"""Errors cross the wire as word and fields, and come out as they went in."""

from __future__ import annotations

from dataclasses import fields

import pytest

from docs.generate_errors import import_everything
from ssi.model.errors import FieldValue, RemoteError, SsiError

import_everything()

SAMPLES: dict[str, FieldValue | dict[str, FieldValue]] = {
    "str": "n2", "int": 7, "float": 1.5, "bool": True, "list[str]": ["a", "b"],
    "dict[str, FieldValue]": {"node": "n2"},
}  # fmt: skip


def sample(kind: type[SsiError]) -> SsiError:
    return kind(**{field.name: SAMPLES[str(field.type)] for field in fields(kind)})


CLASSES = sorted(SsiError.classes().items())


@pytest.mark.parametrize(("word", "kind"), CLASSES)
def test_error_tells_in_one_line_what_failed(word: str, kind: type[SsiError]) -> None:
    error = sample(kind)
    assert word == kind.word
    assert error.what()
    assert "\n" not in str(error)
    assert not str(error).endswith(".")


@pytest.mark.parametrize(("word", "kind"), CLASSES)
def test_error_survives_the_wire(word: str, kind: type[SsiError]) -> None:
    error = sample(kind)
    if kind is RemoteError:
        return  # it stands for an error that has no class here
    again = SsiError.from_wire(word, error.wire_fields())
    assert type(again) is kind
    assert again.wire_fields() == error.wire_fields()
    assert str(again) == str(error)


@pytest.mark.parametrize(("word", "kind"), CLASSES)
def test_exit_code_is_one_that_a_shell_understands(word: str, kind: type[SsiError]) -> None:
    assert 1 <= kind.exit_code <= 127, word


def test_unknown_word_is_passed_on_with_its_fields() -> None:
    error = SsiError.from_wire("moon-full", {"phase": 4})
    assert isinstance(error, RemoteError)
    assert error.remote_word == "moon-full"
    assert "phase=4" in str(error)


def test_field_that_only_a_newer_peer_knows_is_left_out() -> None:
    error = SsiError.from_wire("link-down", {"node": "n2", "reason": "cut", "since_s": 3.0})
    assert error.wire_fields() == {"node": "n2", "reason": "cut"}


def test_error_without_a_field_that_it_needs_is_passed_on() -> None:
    error = SsiError.from_wire("link-down", {"node": "n2"})
    assert isinstance(error, RemoteError)
    assert error.remote_word == "link-down"
