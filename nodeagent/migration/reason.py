"""Why a step of a move failed, out of what was raised."""

from __future__ import annotations

from ssi.model.errors import SsiError


def text_of(error: SsiError | OSError) -> str:
    """It in words."""
    return error.what() if isinstance(error, SsiError) else str(error)


def leaf_of(group: BaseExceptionGroup[SsiError | OSError]) -> SsiError | OSError:
    """The first error of a group, however deep it lies."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, (SsiError, OSError))
    return error
