"""Whatever the names, folding and expanding lose none and invent none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssi.model.nodeset import NodesetInvalid, expand, fold

NAMES = st.from_regex(r"[a-z][a-z-]{0,3}[0-9]{0,3}(\.[a-z]{1,3}[0-9]?)?", fullmatch=True)


@given(st.sets(NAMES, min_size=1, max_size=30))
def test_expand_undoes_fold(names: set[str]) -> None:
    assert set(expand(fold(names))) == names


@given(st.text(alphabet="n019[]-.,!&^/@ ", max_size=30))
def test_any_text_expands_or_is_refused(text: str) -> None:
    try:
        names = expand(text)
    except NodesetInvalid:
        return
    assert names
    assert len(set(names)) == len(names)
