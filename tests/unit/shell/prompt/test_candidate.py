from __future__ import annotations

from shell.prompt.candidate import MOST, Candidate, ranked


def values(typed: str, *found: str) -> list[str]:
    return [each.value for each in ranked([Candidate(value=each) for each in found], typed)]


def test_numbers_count_as_numbers() -> None:
    assert values("n", "n10", "n2", "m1") == ["n2", "n10"]


def test_each_is_offered_once_as_it_was_found_first() -> None:
    found = [Candidate(value="ps", about="of ssi"), Candidate(value="ps", about="program")]
    assert [each.about for each in ranked(found, "p")] == ["of ssi"]


def test_case_matters_unless_nothing_fits() -> None:
    assert values("re", "README", "read") == ["read"]
    assert values("re", "README") == ["README"]


def test_hidden_names_are_for_whoever_types_their_first_letter() -> None:
    assert values("", ".git/", "src/", "_odd") == ["src/"]
    assert values("a/", "a/.git/", "a/src/") == ["a/src/"]
    assert values(".", ".git/", "src/") == [".git/"]
    assert values("", ".git/") == [".git/"]


def test_no_more_are_offered_than_a_person_looks_through() -> None:
    assert len(values("", *(f"f{number}" for number in range(2 * MOST)))) == MOST
