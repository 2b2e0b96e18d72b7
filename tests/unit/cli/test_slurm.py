"""Slurm's words: what they ask for, and that others are refused by name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ssi.cli.main import carry_out, tree
from ssi.cli.outcome import ended
from ssi.cli.slurm import script
from ssi.cli.slurm.options import wanted
from ssi.cli.slurm.sbatch import _written
from ssi.cli.slurm.srun import TASKS
from ssi.model.errors import UsageError
from ssi.model.job import JobState
from ssi.model.node import NodeState
from ssi.policy.allocation import Demand
from ssi.view.listing import Way
from ssi.view.slurm import STATES, condition_of, partition_listing
from tests.unit.view.samples import METRICS, node

BATCH = """#!/bin/bash -e
# a remark
#SBATCH -N 2 --mem=4G  # both
#SBATCH --job-name='my job'

echo first
#SBATCH --ntasks=9
"""


def run(*words: str) -> int:
    return ended(lambda: carry_out(tree(), words))


def asked(**options: object) -> Demand:
    names = ("tasks", "nodes", "cores", "memory", "gres", "among", "without")
    return wanted(**{**dict.fromkeys(names), "name": "", **options}).demand  # type: ignore[arg-type]


def test_sizes_and_resources_are_read_as_slurm_writes_them() -> None:
    assert asked(memory="512").memory_bytes == 512 << 20
    assert asked(memory="4G").memory_bytes == 4 << 30
    assert asked(memory="1tb").memory_bytes == 1 << 40
    assert [asked(gres=text).gpus for text in ("gpu", "gpu:2", "gpu:a100:3")] == [1, 2, 3]
    for options in ({"memory": "much"}, {"gres": "fpga:1"}, {"gres": "gpu:"}):
        with pytest.raises(UsageError, match=r"--mem|--gres"):
            asked(**options)


@pytest.mark.parametrize(
    "words",
    [
        ("srun", "--qos=high", "true"),
        ("srun", "--pty", "-n", "2", "true"),
        ("sbatch", "--array=1-3", "x.sh"),
        ("squeue", "--start"),
        ("scancel",),
        ("scancel", "--state=PENDING"),
        ("sinfo", "--summarize"),
    ],
)
def test_what_is_not_there_is_refused(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    told = capsys.readouterr().err
    assert "[usage]" in told
    assert words[0] == "scancel" or words[1].partition("=")[0] in told


def test_directives_end_where_the_script_begins() -> None:
    assert script.directives(BATCH) == ["-N", "2", "--mem=4G", "--job-name=my job"]
    found = _written(script.directives(BATCH))
    assert (found["nodes"], found["memory"], found["name"], found["tasks"]) == (
        2,
        "4G",
        "my job",
        None,
    )


def test_a_directive_that_is_not_known_stops_the_script(tmp_path: Path) -> None:
    file = tmp_path / "x.sh"
    file.write_text("#!/bin/sh\n#SBATCH --exclusive\ntrue\n")
    assert run("sbatch", str(file)) == 2
    with pytest.raises(UsageError, match="cannot be read"):
        script.directives("#SBATCH -J 'open")


def test_a_script_goes_along_as_text_with_its_name_and_arguments() -> None:
    command = script.command_of("#!/bin/sh\necho $0 $1\n", "job.sh", ["a b"])
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"job.sh a b\n"
    assert script.command_of("#!/usr/bin/env bash\n", "x", [])[:3] == ["/usr/bin/env", "bash", "-c"]
    for text, said in (
        ("echo x", "does not begin"),
        ("#!/usr/bin/python3\n", "no script of a shell"),
        ("#!/bin/sh\n" + "x" * script.LARGEST_BYTES, "larger"),
    ):
        with pytest.raises(UsageError, match=said):
            script.command_of(text, "x", [])


def test_output_goes_to_files_whose_names_are_known_before(tmp_path: Path) -> None:
    both = ["sh", "-c", "echo out; echo err >&2"]
    assert script.redirected(both, "", "", "n", "u") == both
    command = script.redirected(both, f"{tmp_path}/%x-%u%%.out", "", "n", "u")
    subprocess.run(command, check=True)
    assert (tmp_path / "n-u%.out").read_text() == "out\nerr\n"
    command = script.redirected(both, f"{tmp_path}/o", f"{tmp_path}/e", "n", "u")
    subprocess.run(command, check=True)
    assert ((tmp_path / "o").read_text(), (tmp_path / "e").read_text()) == ("out\n", "err\n")
    with pytest.raises(UsageError, match="%j"):
        script.redirected(both, "slurm-%j.out", "", "n", "u")


def test_tasks_of_a_node_are_numbered_and_the_highest_status_is_theirs() -> None:
    task = ["sh", "-c", "echo $SLURM_PROCID $SLURM_LOCALID; exit $SLURM_LOCALID"]
    command = ["sh", "-c", TASKS, "srun", "4", "3", *task]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert sorted(done.stdout.splitlines()) == ["4 0", "5 1", "6 2"]


def test_every_state_of_a_job_has_a_letter_and_nodes_have_conditions() -> None:
    assert STATES.keys() == set(JobState)
    busy = node(name="n2", metrics=METRICS)
    rows = [
        node(name="n1", state=NodeState.DEAD),
        busy,
        node(name="n3", metrics=METRICS),
        node(name="n4", metrics=None),
    ]
    assert condition_of(rows[0]) == "down*"
    assert condition_of(rows[3]) == "unk*"
    listing = partition_listing(rows)
    assert sum(len(each.nodes) for each in listing.rows) == 4
    assert "n[2-3]" in listing.table(Way())
    assert len(listing.objects("")) == 4
