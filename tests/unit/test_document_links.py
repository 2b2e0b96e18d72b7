"""No document points at a file that is not there, and no two decisions have one number."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_every_link_between_documents_leads_somewhere() -> None:
    documents = [ROOT / "README.md", ROOT / "bench/README.md", *(ROOT / "docs").rglob("*.md")]
    assert len(documents) > 60
    for document in documents:
        for target in LINK.findall(document.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document}: {target}"


def test_every_document_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    for document in (ROOT / "docs").glob("*.md"):
        assert document.name == "README.md" or f"]({document.name})" in index, document.name


def test_every_decision_has_a_number_of_its_own_which_is_in_its_title() -> None:
    decisions = sorted((ROOT / "docs/adr").glob("*.md"))
    titles = [each.read_text(encoding="utf-8").partition(".")[0] for each in decisions]
    assert titles == [f"# {number}" for number in range(1, len(decisions) + 1)]
    assert [int(each.name[:4]) for each in decisions] == list(range(1, len(decisions) + 1))
