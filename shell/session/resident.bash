# The resident bash of a session: it takes lines from descriptor 198, evaluates each as if it had
# been typed, and tells on 199 what then holds. 197 is its terminal. See host.py, which starts it.
#
# Lines are evaluated from PROMPT_COMMAND, and not from a loop of a script, because only what runs
# there is as free as a line that is typed: ^C and errors as ${x:?} end the line alone, `declare`
# makes variables that stay, and whoever asks is told that the shell is interactive. A program that
# is stopped breaks all loops, so there are further ones after the first.
#
# ^C may come at any moment. What is told before it came is told again from its beginning (with the
# number of the line, and a NUL before it). While a line is read no key is typed: keys are held until
# \002 says that the line begins. But one that was typed before may come only then, for terminals pass
# keys on a moment later. Bash would lose a part of the line, or end. So ^C is ignored from the end of
# a line to the beginning of the next, and what the user has for it, and all traps that are told, are
# kept in a file, since $(trap -p) would cost a process. Nor is any array assigned where ^C may come:
# bash 5.2 that is interrupted while it reads name=(...) takes the end of that for the end of its input.
__ssi_next() {
    if [[ ! ${__ssi_deaf-} ]]; then
        { builtin trap -p INT; builtin printf '\0'; builtin trap -p; } >|"$__ssi_kept"
        __ssi_deaf=1
    fi
    builtin trap '' INT
    { IFS= builtin read -r -d '' __ssi_trap; IFS= builtin read -r -d '' __ssi_traps; } <"$__ssi_kept" || builtin :
    if [[ ${__ssi_busy-} ]]; then
        [[ ! ${__ssi_telling-} ]] || __ssi_statuses="130 130 broken"
        __ssi_telling=1
        [[ ${__ssi_statuses+x} ]] || __ssi_statuses="$__ssi_code $__ssi_code broken"
        {
            builtin printf '\0'
            builtin printf '%s ' "$__ssi_busy" "$__ssi_statuses"
            builtin printf '\0%s\0%s\0' "$PWD" "$-"
            builtin declare -p
            builtin printf '\0'
            builtin declare -f
            builtin printf '\0'
            builtin declare -F
            builtin printf '\0'
            builtin alias -p
            builtin printf '\0'
            builtin shopt -p
            builtin shopt -po
            builtin printf '\0'
            builtin umask -p
            builtin printf '\0'
            builtin printf '%s\0' "$__ssi_traps"
            builtin jobs
            builtin printf '\0\n'
        } >&199 2>/dev/null
        builtin printf '\033]7717;%s\a' "$__ssi_nonce" >&197
        __ssi_busy=
    fi
    builtin unset __ssi_statuses __ssi_telling
    IFS= builtin read -r -u 198 -d '' __ssi_status || builtin exit
    IFS= builtin read -r -u 198 -d '' __ssi_number || builtin exit
    IFS= builtin read -r -u 198 -d '' __ssi_line || builtin exit
    if [[ $__ssi_line == $'\001'* ]]; then
        __ssi_line=$(<"${__ssi_line:1}")
    fi
    __ssi_busy=$__ssi_number
    __ssi_line+=$'\n\n''{ __ssi_statuses="$? ${PIPESTATUS[@]}"; [[ $- != *x* ]] || { __ssi_traced=1; builtin set +x; }; } 2>/dev/null'
    if [[ ${__ssi_traced-} ]]; then
        __ssi_traced=
        __ssi_line=$'builtin set -x\n'$__ssi_line
    fi
    __ssi_deaf=
    builtin eval "${__ssi_trap:-builtin trap - INT}"
    builtin printf '\002' >&199
    return "$__ssi_status"
}
__ssi_round='while :; do while :; do
    if __ssi_next; then builtin eval "$__ssi_line" 197>&- 198<&- 199>&-
    else builtin eval "$__ssi_line" 197>&- 198<&- 199>&-; fi
    __ssi_code=$?
done; done'
__ssi_begin() {
    PROMPT_COMMAND=("__ssi_code=\$?; [[ ! \${__ssi_busy-} || \$__ssi_code != 0 ]] || __ssi_code=148; $__ssi_round")
    local n
    for n in {1..15}; do
        PROMPT_COMMAND+=("__ssi_code=\$?; [[ ! \${__ssi_busy-} ]] || __ssi_code=148; $__ssi_round")
    done
    builtin set +o history
    PS1="$1" PS2=
    builtin declare -F command_not_found_handle >/dev/null || command_not_found_handle() {
        __ssi_unknown "$@"
    }
    unset __ssi_begin
}
# What every bash of a session knows: a command with a placement, where the session's bash or one
# of its jobs meets it within something larger. `ssi run` takes it there, with what is known here: so no
# variable of ours is local to it, which would hide a user's of that name.
__ssi_at() {
    case $1 in
    need:*) builtin echo "ssi: @'${1#*:}' is for the beginning of a line" >&2; return 2 ;;
    nodes:*[],[!\&^@{}]* | nodes:*..* | nodes:all) set -- "$2" -n "${1#*:}" -b ;;
    nodes:*) set -- "$2" -n "${1#*:}" ;;
    *) set -- "$2" ;;
    esac
    [[ -n $1 ]] || { builtin echo "ssi: a session moves only from its prompt" >&2; return 2; }
    command ssi run --no-tty --cwd "$PWD" "${@:2}" -- bash -c "{ $(__ssi_state)
} 2>/dev/null
$1" bash
}
# A placement that was not seen in the text of a line, as one behind an alias or in a sourced file, is
# a command that bash does not find. Its words are expanded by then.
__ssi_unknown() {
    local __ssi_where=${1#@}
    case $1 in
    @[A-Za-z0-9]*) shift; __ssi_at "nodes:$__ssi_where" "${*@Q}" ;;
    *) builtin printf 'bash: %s: command not found\n' "$1" >&2; return 127 ;;
    esac
}
__ssi_state() {
    builtin declare -p | command grep -vE "$__ssi_own"
    builtin declare -f
    builtin echo "shopt -s expand_aliases"
    builtin alias -p
    builtin umask -p
}
