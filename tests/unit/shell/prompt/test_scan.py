from __future__ import annotations

import pytest

from shell.prompt.scan import scan


@pytest.mark.parametrize(
    ("text", "words", "value"),
    [
        ("", (), ""),
        ("gi", (), "gi"),
        ("git ", ("git",), ""),
        ("git com", ("git",), "com"),
        ("a; git com", ("git",), "com"),
        ("a && b | wc -", ("wc",), "-"),
        ("if tr", (), "tr"),
        ("if true; then git com", ("git",), "com"),
        ("x=1 Y='a b' git com", ("git",), "com"),
        ("echo $(git com", ("git",), "com"),
        ('echo "$(git com', ("git",), "com"),
        ("echo `git com", ("git",), "com"),
        ("echo $(git com) fo", ("echo", "$(git com)"), "fo"),
        ("diff <(sort a) b", ("diff", "(sort a)"), "b"),
        ("ls a\\ b", ("ls",), "a b"),
        ("ls 'a b", ("ls",), "a b"),
        ('ls "a \\"b', ("ls",), 'a "b'),
        ("ls a'b'c", ("ls",), "abc"),
        ("ls \\\n-l", ("ls",), "-l"),
        ("cat <in >out 2>&1 fi", ("cat",), "fi"),
        ("cd /a\nls b", ("ls",), "b"),
    ],
)
def test_the_words_before_the_cursor_are_those_of_its_command(
    text: str, words: tuple[str, ...], value: str
) -> None:
    scanned = scan(text)
    assert (scanned.words, scanned.current.value) == (words, value)
    assert scanned.current.raw == text[scanned.current.start :]


@pytest.mark.parametrize("text", ["gi", "a|gi", "! gi", "sudo gi", "@n2 gi", "{ gi", "(gi", "x=1 "])
def test_a_command_can_begin_here(text: str) -> None:
    assert scan(text).is_command


@pytest.mark.parametrize("text", ["git a", "a >gi", "for gi in a", "a <gi"])
def test_no_command_begins_here(text: str) -> None:
    assert not scan(text).is_command


def test_a_placement_is_apart_from_the_words_of_its_command() -> None:
    scanned = scan("@'mem>8G' git com")
    assert (scanned.placement, scanned.words) == ("mem>8G", ("git",))
    assert scan("a | @n").is_placement
    assert scan("@{n1..").is_placement
    assert not scan("git @").is_placement


def test_what_follows_a_redirection_is_no_word_of_the_command() -> None:
    assert scan("cat 2>>o").is_redirection
    assert scan("cat &>o").is_redirection
    assert not scan("cat >o p").is_redirection
    assert scan("cat >o p").words == ("cat",)


def test_nothing_means_anything_in_a_comment() -> None:
    assert scan("ls # git com").is_comment
    assert not scan("ls # git com\nls").is_comment
    assert not scan("ls a#b").is_comment


def test_a_variable_is_seen_at_the_end_of_a_word_only() -> None:
    assert scan("echo a$HO").current.variable == "HO"
    assert scan('echo "${HO').current.variable == "HO"
    assert scan("echo '$HO").current.variable is None
    assert scan("echo $HOME/").current.variable is None
