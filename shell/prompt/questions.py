"""Little scripts of bash that ask a node something, run beside the session."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Final

from shell.prompt.knowledge import Question

_CHECK: Final = r"""
__ssi_check() {
    local kind word
    while (($# > 1)); do
        kind=$1 word=$2
        shift 2
        case $word in "~" | "~/"*) word=$HOME${word:1} ;; esac
        if [[ $kind == command ]]; then
            type -t -- "$word" >/dev/null 2>&1 || [[ ${BASH_ALIASES[$word]+is} ]]
        else
            [[ -e $word || -L $word ]]
        fi && printf 1 || printf 0
    done
}
__ssi_check"""

SURROUNDINGS: Final = r"""
__ssi_surroundings() {
    local mode=emacs folder=$PWD head="" word
    [[ :$SHELLOPTS: != *:vi:* ]] || mode=vi
    while [[ $folder == /* && ! -e $folder/.git ]]; do folder=${folder%/*}; done
    if [[ $folder ]]; then
        head=$folder/.git
        if [[ -f $head ]]; then
            IFS= read -r word <"$head"
            word=${word#gitdir: }
            [[ $word == /* ]] && head=$word || head=$folder/$word
        fi
        { IFS= read -r head <"$head/HEAD"; } 2>/dev/null || head=
        case $head in
            "ref: refs/heads/"*) head=${head#ref: refs/heads/} ;;
            *) head=${head:0:7} ;;
        esac
    fi
    printf '%s\0' "$mode" "$head" "${VISUAL:-${EDITOR-}}"
}
__ssi_surroundings 2>/dev/null
"""
"""Writes the mode of editing (``set -o vi``), the branch of git around the directory, found without
starting a program, and the person's editor, each ended by NUL."""

_FILES: Final = r"""
__ssi_files() {
    local - word=$1 head= file kind name count=0
    set +f
    [[ $1 != */* ]] || head=${1%/*}/
    case $word in
        "~" | "~/"*) word=$HOME${word:1} ;;
        '$'*/*)
            name=${word%%/*} name=${name#'$'} name=${name#'{'} name=${name%'}'}
            [[ $name != *[!A-Za-z0-9_]* ]] || return
            word=${!name-}/${word#*/}
            ;;
    esac
    for file in "$word"*; do
        [[ -e $file || -L $file ]] || continue
        kind=f
        if [[ -d $file ]]; then kind=d; elif [[ -x $file ]]; then kind=x; fi
        printf '%s\0' "$kind$head${file##*/}"
        ((++count < 500)) || return
    done
}
"""

_PROGRAMS: Final = r"""
__ssi_programs() {
    local kind name
    for kind in alias function keyword builtin command; do
        while IFS= read -r name; do
            printf '%s\0' "${kind:0:1}$name"
        done < <(compgen -A "$kind" -- "$1")
    done
}
__ssi_programs"""

_VARIABLES: Final = r"""
__ssi_variables() {
    local name
    while IFS= read -r name; do
        printf '%s\0' "v$name"
    done < <(compgen -A variable -- "$1")
}
__ssi_variables"""

_WORDS: Final = r"""
__ssi_words() {
    local -a COMP_WORDS=("$@") COMPREPLY=() __ssi_spec=() __ssi_how=()
    local COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_TYPE=9 COMP_KEY=9
    local COMP_POINT=${#COMP_LINE} __ssi_function= __ssi_options=" " __ssi_tries __ssi_reply
    local COMP_WORDBREAKS=$' \t\n"\'><;|&('
    if ! complete -p -D >/dev/null 2>&1 && [[ -r /usr/share/bash-completion/bash_completion ]]; then
        . /usr/share/bash-completion/bash_completion
    fi
    compopt() {
        while (($#)); do
            case $1 in
                -o) __ssi_options+="$2 " ;;
                +o) __ssi_options=${__ssi_options/ $2 / } ;;
            esac
            shift
        done
    }
    for __ssi_tries in 1 2; do
        COMPREPLY=() __ssi_function= __ssi_how=()
        eval "__ssi_spec=($(
            { complete -p -- "$1" || complete -p -- "${1##*/}" || complete -p -D; } 2>/dev/null
        ))"
        __ssi_read_spec
        if [[ $__ssi_function ]]; then
            "$__ssi_function" "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}" \
                </dev/null >/dev/null 2>&1
            (($? == 124)) || break
        else
            ((${#__ssi_how[@]} == 0)) || mapfile -t COMPREPLY < <(
                compgen "${__ssi_how[@]}" -- "${!#}" 2>/dev/null </dev/null
            )
            break
        fi
    done
    unset -f compopt
    __ssi_replies "${!#}"
}
__ssi_read_spec() {
    local index
    for ((index = 1; index < ${#__ssi_spec[@]} - 1; index++)); do
        case ${__ssi_spec[index]} in
            -F) __ssi_function=${__ssi_spec[++index]} ;;
            -o) __ssi_options+="${__ssi_spec[++index]} " ;;
            -[AGWCXPS]) __ssi_how+=("${__ssi_spec[index]}" "${__ssi_spec[++index]}") ;;
            -[abcdefgjksuv]) __ssi_how+=("${__ssi_spec[index]}") ;;
        esac
    done
}
__ssi_replies() {
    local kind=w count=0
    [[ $__ssi_options != *" nospace "* ]] || kind=n
    for __ssi_reply in "${COMPREPLY[@]}"; do
        [[ $__ssi_reply ]] || continue
        if [[ $__ssi_options == *" filenames "* && -d ${__ssi_reply/#"~/"/"$HOME/"} ]]; then
            printf '%s\0' "d${__ssi_reply%/}"
        elif [[ $1 == --*=* && $__ssi_reply != --* ]]; then
            printf '%s\0' "$kind${1%%=*}=$__ssi_reply"
        else
            printf '%s\0' "$kind$__ssi_reply"
        fi
        ((++count < 500)) || break
    done
    ((${#COMPREPLY[@]})) || case $__ssi_function$__ssi_options in
        *" default "* | *" bashdefault "* | " " | "_minimal "* | "_comp_complete_minimal "*)
            __ssi_files "$1"
            ;;
    esac
}
__ssi_words"""


def check(questions: Sequence[Question]) -> str:
    """Writes ``1`` for each question whose answer is yes, and else ``0``."""
    words = (f"{question.kind} {quote(question.value)}" for question in questions)
    return f"{_CHECK} {' '.join(words)}"


def files(word: str) -> str:
    """Writes the paths that begin with a word: ``d``, ``x`` or ``f`` for what each is, it, NUL."""
    return f"{_FILES}__ssi_files {quote(word)} 2>/dev/null"


def programs(begun: str) -> str:
    """Writes the commands that begin so: a letter for what each is, its name, and NUL."""
    return f"{_PROGRAMS} {quote(begun)} 2>/dev/null"


def variables(begun: str) -> str:
    """Writes the names of the variables that begin so: ``v``, the name, and NUL."""
    return f"{_VARIABLES} {quote(begun)} 2>/dev/null"


def words(line: Sequence[str]) -> str:
    """Writes what the last word of a command may become, as bash-completion has it there.

    Each with a letter before it, and NUL behind it: ``n`` for one to which something will be
    added, ``w`` for a whole word, and as :func:`files` where it is a path.
    """
    return f"{_FILES}{_WORDS} {' '.join(map(quote, line))}"
