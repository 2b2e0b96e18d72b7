"""The completions for zsh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from shlex import quote

from ssi.cli.completion.words import Verb, takes_of

_HEAD = r"""#compdef ssi
# Completions of ssi for zsh. Written by `ssi completion zsh`; not to be edited.

"""

_BODY = r"""
# What the system knows, within a fifth of a second or not at all.
_ssi_ask() {
    local value about
    local -a open open_shown whole whole_shown
    while IFS=$'\t' read -r value about; do
        if [[ $value == *[:/] ]]; then
            open+=("$value")
            open_shown+=("$value${about:+  ($about)}")
        else
            whole+=("$value")
            whole_shown+=("$value${about:+  ($about)}")
        fi
    done < <(timeout ${SSI_COMPLETION_SECONDS:-0.2} $words[1] __complete $1 -- "$2" \
        </dev/null 2>/dev/null)
    compadd -l -V ssi -d open_shown -S '' -a open
    compadd -l -V ssi -d whole_shown -a whole
}

_ssi_value() {
    case $1 in
        '='*) compadd -- ${=1#=} ;;
        files) _files ;;
        nothing | '') ;;
        places)
            _ssi_ask places "$2"
            [[ $2 == *:* && $2 != */*:* ]] || _files
            ;;
        *) _ssi_ask $1 "$2" ;;
    esac
}

# Each of what is below a key of a table stands on a line, and what it is behind a tab.
_ssi_offer() {
    local line
    local -a values shown
    for line in ${(f)1}; do
        values+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done
    compadd -l -V ssi -d shown -a values
}

_ssi() {
    local verb= before= key word current=${(Q)PREFIX}
    local -a kinds
    integer count=0 index
    for ((index = 2; index < CURRENT; index++)); do
        word=$words[index]
        if [[ -n $before ]]; then
            before=
        elif [[ $word == -- ]]; then
            count=-1
            break
        elif [[ $word == -* ]]; then
            key="$verb $word"
            [[ -z $_ssi_takes[.$key] ]] || before=$word
        elif [[ $count == 0 && $'\n'$_ssi_verbs[.$verb] == *$'\n'$word$'\t'* ]]; then
            verb=${verb:+$verb }$word
        else
            ((++count))
        fi
        if [[ $verb == run && $count == 1 ]]; then
            _ssi_delegate $index
            return
        fi
    done
    if ((count == -1)); then
        count=$((CURRENT - index - 1))
        if [[ $verb == run ]] && ((count > 0)); then
            _ssi_delegate $((index + 1))
            return
        fi
    elif [[ -n $before ]]; then
        key="$verb $before"
        _ssi_value "$_ssi_takes[.$key]" "$current"
        return
    elif [[ $current == --*=* ]]; then
        compset -P '*='
        key="$verb ${current%%=*}"
        _ssi_value "$_ssi_takes[.$key]" "${current#*=}"
        return
    elif [[ $current == -* ]]; then
        _ssi_offer "$_ssi_flags[.$verb]"
        return
    fi
    if [[ -n $_ssi_verbs[.$verb] && $count == 0 ]]; then
        _ssi_offer "$_ssi_verbs[.$verb]"
        return
    fi
    kinds=(${(s:|:)_ssi_args[.$verb]})
    ((${#kinds})) || return 1
    ((++count))
    ((count <= ${#kinds})) || count=${#kinds}
    if [[ $kinds[count] == command ]]; then
        _command_names -e
    else
        _ssi_value $kinds[count] "$current"
    fi
}

# The words of the command that `ssi run` is to run: as they would be completed for itself.
_ssi_delegate() {
    shift $(($1 - 1)) words
    ((CURRENT -= $1 - 1))
    _normal
}

compdef _ssi ssi
[[ $funcstack[1] != _ssi ]] || _ssi "$@"
"""


def render(verbs: Sequence[Verb]) -> str:
    """The file."""
    about = {verb.name: verb.about for verb in verbs}
    tables = [
        _table(
            "verbs",
            {verb.name: _lines((own, about[_joined(verb, own)]) for own in verb.verbs)
             for verb in verbs if verb.verbs},
        ),
        _table(
            "flags",
            {verb.name: _lines((flag, option.about) for option in verb.options
                               for flag in option.flags)
             for verb in verbs},
        ),
        _table("takes", takes_of(verbs)),
        _table("args", {verb.name: "|".join(verb.words) for verb in verbs if verb.words}),
    ]  # fmt: skip
    return _HEAD + "".join(tables) + _BODY


def _joined(verb: Verb, own: str) -> str:
    return f"{verb.name} {own}".strip()


def _lines(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{value}\t{about}\n" for value, about in rows)


def _table(name: str, rows: Mapping[str, str]) -> str:
    lines = "".join(f"    {quote(f'.{key}')} {quote(value)}\n" for key, value in rows.items())
    return f"typeset -gA _ssi_{name}=(\n{lines})\n"
