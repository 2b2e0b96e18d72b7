"""Bash's own test scripts, run by ``ssi FILE`` beside bash: how many come out as they should.

``python bench/shellcorpus.py DIRECTORY``: the folder ``tests`` of the sources of bash, in which its
helpers ``recho``, ``zecho`` and ``xcase`` have been compiled, and ``printenv`` copied.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ending import ending

LIMIT_S = 60
NOT_FOR_HERE = frozenset({"run-all", "run-minimal", "run-gprof", "run-jobs", "run-histexpand"})
"""The first three run others; the last two need a terminal and minutes."""


def passes(script: Path, shell: str, folder: Path) -> bool:
    """Whether a test says nothing, as those that pass do."""
    environment = {
        **os.environ,
        "THIS_SH": shell,
        "BASH_TSTOUT": str(folder / "out"),
        "TMPDIR": str(folder),
        "PATH": f".:{os.environ['PATH']}",
        "SSI_CONFIG_DIR": str(folder),  # this machine is no part of a system
    }
    try:
        done = subprocess.run(
            ["sh", script.name],
            cwd=script.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> int:
    ending.by_signals()
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    scripts = sorted(
        path
        for path in parser.parse_args().directory.resolve().glob("run-*")
        if path.name not in NOT_FOR_HERE and path.suffix == ""
    )
    held: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        wrapper = Path(name, "bash")  # some print how the shell was called
        wrapper.write_text(f"#!{sys.executable}\nimport ssi.cli.__main__\n")
        wrapper.chmod(0o755)
        for script in scripts:
            for shell in ("/bin/bash", str(wrapper)):
                if passes(script, shell, Path(name)):
                    held.setdefault(shell, set()).add(script.name)
    bash, ours = held.get("/bin/bash", set()), held.get(str(wrapper), set())
    print(f"of {len(scripts)}: bash {len(bash)}, ssi {len(ours)}, both {len(bash & ours)}")
    for script in sorted(bash - ours):
        print(f"bash only: {script}")
    return 0 if bash <= ours else 1


if __name__ == "__main__":
    sys.exit(main())
