"""The table of errors in the documentation is the one that the classes make."""

from __future__ import annotations

from docs.generate_errors import TARGET, import_everything, render


def test_document_of_errors_is_up_to_date() -> None:
    import_everything()
    assert TARGET.read_text(encoding="utf-8") == render(), "run: python docs/generate_errors.py"
