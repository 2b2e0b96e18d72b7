"""The completions for bash."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from ssi.cli.completion.words import Verb, takes_of

_HEAD = r"""# Completions of ssi for bash. Written by `ssi completion bash`; not to be edited.

"""

_BODY = r"""
# The words up to the cursor, whatever characters bash divides them at.
_ssi_split() {
    local rest=${COMP_LINE:0:COMP_POINT} word
    _ssi_words=()
    for word in "${COMP_WORDS[@]}"; do
        if [[ $rest == [[:blank:]]* || ${#_ssi_words[@]} -eq 0 ]]; then
            rest=${rest#"${rest%%[![:blank:]]*}"}
            _ssi_words+=("")
        fi
        [[ ${#word} -le ${#rest} ]] || word=$rest
        rest=${rest:${#word}}
        _ssi_words[-1]+=$word
    done
}

# What the system knows, within a fifth of a second or not at all.
_ssi_ask() {
    local value about
    while IFS=$'\t' read -r value about; do
        _ssi_found+=("$value")
        _ssi_about+=("$about")
    done < <(timeout "${SSI_COMPLETION_SECONDS:-0.2}" "$_ssi_command" __complete "$1" -- "$2" \
        </dev/null 2>/dev/null)
}

_ssi_value() {
    local kind=$1 word=$2
    case $kind in
        =*) mapfile -t _ssi_found < <(compgen -W "${kind#=}" -- "$word") ;;
        files) _ssi_files "$word" ;;
        nothing | '') ;;
        places)
            [[ $word == *:* && $word != */*:* ]] || _ssi_files "$word"
            _ssi_ask places "$word"
            ;;
        *) _ssi_ask "$kind" "$word" ;;
    esac
}

_ssi_files() {
    local file
    while IFS= read -r file; do
        [[ ! -d $file ]] || file+=/
        _ssi_found+=("$file")
        _ssi_about+=("")
    done < <(compgen -f -- "$1")
}

# What was found becomes COMPREPLY. bash replaces only what is behind the last colon.
_ssi_reply() {
    local word=$1 index width=0 head= shown
    [[ $word == *:* && $COMP_WORDBREAKS == *:* && $_ssi_quote == "" ]] && head=${word%:*}:
    for index in "${!_ssi_found[@]}"; do
        (( ${#_ssi_found[index]} <= width )) || width=${#_ssi_found[index]}
    done
    for index in "${!_ssi_found[@]}"; do
        shown=${_ssi_found[index]#"$head"}
        if [[ ${#_ssi_found[@]} -gt 1 && ${_ssi_about[index]-} && $COMP_TYPE != 37 ]]; then
            printf -v shown '%-*s  (%s)' "$((width - ${#head}))" "$shown" "${_ssi_about[index]}"
        elif [[ $_ssi_quote == "" && $shown == *[[:blank:]\'\"\\\&\;\(\)\<\>\|\*\?\$\`]* ]]; then
            printf -v shown %q "$shown"
        fi
        COMPREPLY+=("$shown")
        [[ ${_ssi_found[index]} != *[:/] ]] || compopt -o nospace
    done
}

_ssi() {
    local _ssi_command=$1 _ssi_quote= verb= key before= kind= count=0 index word current
    local -a _ssi_words _ssi_found=() _ssi_about=() kinds
    COMPREPLY=()
    _ssi_split
    current=${_ssi_words[-1]}
    case $current in
        [\"\']*) _ssi_quote=${current:0:1} current=${current:1} ;;
        *) current=${current//\\/} ;;
    esac
    for ((index = 1; index < ${#_ssi_words[@]} - 1; index++)); do
        word=${_ssi_words[index]}
        if [[ $before ]]; then
            before=
        elif [[ $word == -- ]]; then
            count=-1
            break
        elif [[ $word == -* ]]; then
            [[ -z ${_ssi_takes[" $verb $word"]-} ]] || before=$word
        elif [[ " ${_ssi_verbs[" $verb"]-} " == *" $word "* && $count == 0 ]]; then
            verb=${verb:+$verb }$word
        else
            ((++count))
        fi
        if [[ $verb == run && $count == 1 ]]; then
            _ssi_delegate "$index"
            return
        fi
    done
    if [[ $count == -1 ]]; then
        count=$((${#_ssi_words[@]} - index - 2))
        if [[ $verb == run ]]; then
            ((count == 0)) || { _ssi_delegate "$((index + 1))"; return; }
        fi
    elif [[ $before ]]; then
        _ssi_value "${_ssi_takes[" $verb $before"]}" "$current"
        _ssi_reply "$current"
        return
    elif [[ $current == --*=* ]]; then
        _ssi_value "${_ssi_takes[" $verb ${current%%=*}"]-}" "${current#*=}"
        _ssi_reply "${current#*=}"
        return
    elif [[ $current == -* ]]; then
        mapfile -t _ssi_found < <(compgen -W "${_ssi_flags[" $verb"]-}" -- "$current")
        _ssi_reply "$current"
        return
    fi
    if [[ ${_ssi_verbs[" $verb"]-} && $count == 0 ]]; then
        mapfile -t _ssi_found < <(compgen -W "${_ssi_verbs[" $verb"]}" -- "$current")
        for index in "${!_ssi_found[@]}"; do
            _ssi_about[index]=${_ssi_help[" ${verb:+$verb }${_ssi_found[index]}"]-}
        done
        _ssi_reply "$current"
        return
    fi
    IFS='|' read -ra kinds <<<"${_ssi_args[" $verb"]-}"
    [[ ${#kinds[@]} -gt 0 ]] || return
    ((count < ${#kinds[@]})) || count=$((${#kinds[@]} - 1))
    if [[ ${kinds[count]} == command ]]; then
        mapfile -t _ssi_found < <(compgen -c -- "$current")
    else
        _ssi_value "${kinds[count]}" "$current"
    fi
    _ssi_reply "$current"
}

# The words of the command that `ssi run` is to run: as they would be completed for itself.
_ssi_delegate() {
    compopt -o filenames
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    else
        mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    fi
}

complete -o nosort -F _ssi ssi
"""


def render(verbs: Sequence[Verb]) -> str:
    """The file."""
    tables = [
        _table("verbs", {verb.name: " ".join(verb.verbs) for verb in verbs if verb.verbs}),
        _table("help", {verb.name: verb.about for verb in verbs if verb.name}),
        _table("flags", {verb.name: " ".join(_flags(verb)) for verb in verbs}),
        _table("takes", takes_of(verbs)),
        _table("args", {verb.name: "|".join(verb.words) for verb in verbs if verb.words}),
    ]
    return _HEAD + "".join(tables) + _BODY


def _flags(verb: Verb) -> list[str]:
    return [flag for option in verb.options for flag in option.flags]


def _table(name: str, rows: dict[str, str]) -> str:
    """An associative array; an empty subscript is none for bash, so each has a space before it."""
    lines = "".join(f"    [{quote(f' {key}')}]={quote(value)}\n" for key, value in rows.items())
    return f"declare -gA _ssi_{name}=(\n{lines})\n"
