"""The completions for fish."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ssi.cli.completion.words import Verb, takes_of

_HEAD = r"""# Completions of ssi for fish. Written by `ssi completion fish`; not to be edited.

"""

_BODY = r"""
# What the system knows, within a fifth of a second or not at all.
function __ssi_ask
    set -l seconds 0.2
    set -q SSI_COMPLETION_SECONDS; and set seconds $SSI_COMPLETION_SECONDS
    timeout $seconds ssi __complete $argv[1] -- $argv[2] </dev/null 2>/dev/null
end

function __ssi_value
    switch "$argv[1]"
        case '=*'
            string split ' ' -- (string sub -s 2 -- $argv[1])
        case files
            __fish_complete_path $argv[2]
        case nothing ''
        case places
            __ssi_ask places $argv[2]
            string match -qr '^[^/]*:' -- $argv[2]; or __fish_complete_path $argv[2]
        case '*'
            __ssi_ask $argv[1] $argv[2]
    end
end

function __ssi_complete
    set -l words (commandline -opc)
    set -l raw (commandline -ct)
    set -l current (string unescape -- $raw 2>/dev/null; or string trim -l -c '\'"' -- $raw)
    set -l verb ''
    set -l before ''
    set -l count 0
    set -l index 2
    set -l ended no
    while test $index -le (count $words)
        set -l word $words[$index]
        if test -n "$before"
            set before ''
        else if test "$word" = --
            set ended yes
            break
        else if string match -q -- '-*' $word
            test -z (__ssi_takes "$verb $word"); or set before $word
        else if test $count = 0; and __ssi_verbs $verb | string match -q -- "$word"\t'*'
            set verb (string trim -- "$verb $word")
        else
            set count (math $count + 1)
        end
        if test "$verb" = run -a $count = 1
            __ssi_delegate $words[$index..-1]
            return
        end
        set index (math $index + 1)
    end
    if test $ended = yes
        set count (math (count $words) - $index)
        if test "$verb" = run -a $count -gt 0
            __ssi_delegate $words[(math $index + 1)..-1]
            return
        end
    else if test -n "$before"
        __ssi_value (__ssi_takes "$verb $before") "$current"
        return
    else if string match -q -- '--*=*' $current
        set -l parts (string split -m 1 = -- $current)
        for found in (__ssi_value (__ssi_takes "$verb $parts[1]") "$parts[2]")
            echo "$parts[1]=$found"
        end
        return
    else if string match -q -- '-*' $current
        __ssi_flags $verb
        return
    end
    if test $count = 0; and __ssi_verbs $verb | string length -q
        __ssi_verbs $verb
        return
    end
    set -l kinds (__ssi_args $verb)
    set -q kinds[1]; or return
    set count (math min $count + 1, (count $kinds))
    if test $kinds[$count] = command
        __fish_complete_command
    else
        __ssi_value $kinds[$count] "$current"
    end
end

# The words of the command that `ssi run` is to run: as they would be completed for itself.
function __ssi_delegate
    complete -C (string join ' ' -- (string escape -- $argv) (commandline -ct))
end

complete -c ssi -f -k -a '(__ssi_complete)'
"""


def render(verbs: Sequence[Verb]) -> str:
    """The file."""
    about = {verb.name: verb.about for verb in verbs}
    functions = [
        _function(
            "verbs",
            ((verb.name, [f"{own}\t{about[f'{verb.name} {own}'.strip()]}" for own in verb.verbs])
             for verb in verbs if verb.verbs),
        ),
        _function(
            "flags",
            ((verb.name, [f"{flag}\t{option.about}" for option in verb.options
                          for flag in option.flags])
             for verb in verbs),
        ),
        _function("takes", ((key, [kind]) for key, kind in takes_of(verbs).items())),
        _function("args", ((verb.name, list(verb.words)) for verb in verbs if verb.words)),
    ]  # fmt: skip
    return _HEAD + "\n".join(functions) + _BODY


def _function(name: str, rows: Iterable[tuple[str, list[str]]]) -> str:
    """A function that prints the lines that belong to its argument."""
    cases = "".join(
        f"        case {_quoted(key)}\n            printf '%s\\n' {' '.join(map(_quoted, lines))}\n"
        for key, lines in rows
    )
    return f'function __ssi_{name}\n    switch "$argv[1]"\n{cases}    end\nend\n'


def _quoted(text: str) -> str:
    """One word of fish. A tab stands outside of quotes, where it can be seen."""
    parts = [
        "'" + part.replace("\\", "\\\\").replace("'", "\\'") + "'" for part in text.split("\t")
    ]
    return "\\t".join(parts)
