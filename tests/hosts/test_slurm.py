"""Slurm's verbs on a real system."""

from __future__ import annotations

from pathlib import Path

from tests.hosts.system import Ssi, eventually

SCRIPT = """#!/bin/sh
#SBATCH -N 2 -J story
echo $SLURM_JOB_NAME of $SLURM_JOB_NODELIST "$@"
exec sleep 600
"""


def test_tasks_are_spread_and_a_script_is_started_listed_and_cancelled(
    ssi: Ssi, tmp_path: Path
) -> None:
    told = ssi.ok("srun", "-w", "n1..2", "-n", "3", "sh", "-c", "echo $SLURM_PROCID `hostname`")
    lines = sorted(told.split(": ", 1)[1] for told in told.splitlines())
    assert [line.split()[0] for line in lines] == ["0", "1", "2"]
    assert {line.split()[1] for line in lines} == {"n1", "n2"}
    path = tmp_path / "job.sh"
    path.write_text(SCRIPT)
    job = ssi.ok("sbatch", "--parsable", "-w", "n2,n3", str(path), "a b").strip()
    eventually(lambda: ssi.ok("logs", job) == "story of n[2-3] a b\n", what="what the script says")
    assert [row["gpid"] for row in ssi.json("squeue", "-j", job)] == [int(job)]
    assert ssi.ok("squeue", "--no-headers", "-j", job).split()[:3] == [job, "ssi", "story"]
    node = ssi.job(job)["node"]
    away = next(name for name in ("n2", "n3") if name != node)
    assert ssi("migrate", job, away).status == 0
    node = ssi.job(job)["node"]
    assert (node, ssi.job(job)["name"]) == (away, "story")
    eventually(
        lambda: {"mix", "alloc"} & set(ssi.ok("sinfo", "-w", node).split()),
        what="the node to be told as busy",
    )
    assert ssi("srun", "-N", "4", "true").status == 255
    assert ssi("scancel", job).status == 0
    eventually(lambda: ssi.json("squeue", "-j", job) == [], what="the job to be gone")
