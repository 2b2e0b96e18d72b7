from __future__ import annotations

from ssi.lab.image import last_error, last_step
from ssi.lab.recipe import recipe_hash

LOG = """\
I: automatically chosen format: directory
I: running apt-get update...
Get:1 http://deb.debian.org/debian trixie InRelease
E: apt-get update failed: exit code 100
E: mmdebstrap failed to run
"""


def test_progress_tells_the_newest_step_in_the_builders_words() -> None:
    assert last_step("") == "starting"
    assert last_step(LOG) == "running apt-get update"


def test_a_failed_build_is_told_by_its_first_complaint() -> None:
    assert last_error(LOG) == "apt-get update failed: exit code 100"
    assert "killed" in last_error("I: extracting archives...\n")


def test_the_recipes_hash_names_a_folder_and_does_not_change_between_runs() -> None:
    assert recipe_hash() == recipe_hash()
    assert recipe_hash().isalnum()
    assert len(recipe_hash()) == 12
