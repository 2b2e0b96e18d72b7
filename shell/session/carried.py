"""What a bash holds, as a script for another one. Pure.

It is sent to the node together with :mod:`shell.session.host`, so it imports nothing but the
standard library.
"""

from __future__ import annotations

import re

OWN = re.compile(
    r"declare -[^ ]+ (__ssi_[a-z_]+|BASH[A-Z_]*|_|COLUMNS|COMP_WORDBREAKS|DIRSTACK|EPOCH[A-Z]+|"
    r"EUID|FUNCNAME|GROUPS|HISTCMD|HOSTNAME|HOSTTYPE|LINENO|LINES|MACHTYPE|OLDPWD|OPTERR|OPTIND|"
    r"OSTYPE|PIPESTATUS|PPID|PROMPT_COMMAND|PS1|PS2|PWD|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|"
    r"TERM|UID|SSI_[A-Z_]*)(=|$)"
)
"""What belongs to one bash, or to one node, and is not carried."""

TELL_STATUSES = """if [[ -n ${SSI_STATUSES-} ]]; then
    trap "printf '%s ' \\"\\$?\\" \\"\\${PIPESTATUS[@]}\\" 2>/dev/null >'$SSI_STATUSES'" EXIT
    unset SSI_STATUSES
fi"""
"""A job of several commands leaves there how each of them ended.

One that was moved does not find that directory, and its user need not hear of it.
"""

NOT_CARRIED = re.compile(
    r"set [-+]o (?:monitor|history|histexpand|emacs|vi)$|"
    r"shopt -[su] (?:login_shell|expand_aliases)$"
)


def compose(parts: list[str], born_with: set[str]) -> str:
    """A script that gives another bash what this one holds.

    Args:
        parts: What bash prints of its variables, functions, their names, aliases, options and
            umask, and two that are not used here.
        born_with: Names of the variables that it began with.
    """
    variables, functions, names, aliases, options, umask, _, _ = parts
    lines = variables.splitlines()
    kept = [line for line in lines if line.startswith("declare ") and not OWN.match(line)]
    present = {match[1] for line in lines if (match := re.match(r"declare -\S+ (\w+)", line))}
    gone = sorted(born_with - present)
    functions = re.sub(
        r"^__ssi_(?!at |state |unknown )\w+ \(\) \n\{.*?^\}\n", "", functions, flags=re.M | re.S
    )
    settings = [line for line in options.splitlines() if not NOT_CARRIED.match(line)]
    exported = [each for each in names.splitlines() if re.match(r"declare -f\w*x", each)]
    script = ["unset BASH_ENV", f"__ssi_own='{OWN.pattern}'", TELL_STATUSES]
    script += [f"unset -v {name}" for name in gone if re.fullmatch(r"\w+", name)]
    script += ["{", *kept, "} 2>/dev/null", functions, *exported]
    script += ["shopt -s expand_aliases", aliases, *settings, umask]
    return "\n".join(script) + "\n"


def names_of(functions: str) -> list[str]:
    """The functions of a user, as ``declare -F`` has them."""
    found: list[str] = re.findall(r"^declare -f\w* (\S+)$", functions, re.M)
    return [each for each in found if not each.startswith("__ssi_")]


def aliases_of(aliases: str) -> dict[str, str]:
    """What ``alias -p`` prints, by name."""
    return dict(re.findall(r"^alias (?:-- )?([^=\s]+)='(.*)'$", aliases, re.M))
