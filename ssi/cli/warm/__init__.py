"""A process per person that has everything imported, and forks a child for each command.

``bin/ssi`` connects to its socket and hands over the command (:mod:`request`). :mod:`server` makes
sure that it may serve that process as well as the full program would (:mod:`standing`) and with the
code that is on the disk now (:mod:`code`), and forks; :mod:`child` turns into the command, and
:mod:`command` follows it to its end. The first command that finds no warm process starts one
(:mod:`start`). The decision is told in ``docs/adr/0005-warm-faces.md``.
"""

from typing import Final

NEVER_WARM: Final = frozenset(
    {
        "completion",
        "up",
        "down",
        "events",
        "top",
        "attach",
        "drain",
        "doctor",
        "man",
        "lab",
        "tour",
        "srun",
        "sbatch",
        "metrics",
    }
)
"""Commands that always get a process of their own: they draw on the terminal itself, run for long,
or leave processes behind that should not be born here."""
