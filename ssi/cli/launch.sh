# Read by the commands `ssi` of a developer's machine and of a node, which say in $ssi_command where
# they are, in $ssi_python what runs the full program, and in $ssi_library where packages are before
# all others; empty where Python knows by itself. This file lies in ${ssi_library%%:*}/ssi/cli, or in
# ../lib/ssi/cli beside the command.
#
# It turns into the stub (stub.pl), with the number of words that start the full program, these, and
# those of the caller; where the stub cannot be had, into the full program at once.
# Called sh, it is a POSIX shell, as bash is.
case $0 in sh | */sh) set -- --posix "$@" ;; esac
ssi_words='import sys; sys.path[:0] = sys.argv.pop(1).split(":"); import ssi.cli.__main__'
if [ -n "$ssi_library" ]; then
    ssi_here=${ssi_library%%:*}
    set -- 5 "$ssi_python" -I -c "$ssi_words" "$ssi_library" "$@"
else
    ssi_here=${ssi_command%/*}/../lib
    set -- 4 "$ssi_python" -I -m ssi.cli "$@"
fi
# Perl would read its program through a standard descriptor that is closed. With PERL5OPT set, it would
# load what we know nothing of. PERL_BADLANG keeps it from complaining about a language that is not
# installed here; the stub removes it where it is empty.
if [ -z "${SSI_COLD+set}${PERL5OPT+set}" ] && [ -x /usr/bin/perl ] &&
    [ -e /proc/self/fd/0 ] && [ -e /proc/self/fd/1 ] && [ -e /proc/self/fd/2 ]; then
    export PERL_BADLANG="${PERL_BADLANG-}"
    exec /usr/bin/perl -f -C0 "$ssi_here/ssi/cli/stub.pl" "$ssi_command" "$@"
fi
shift
exec "$@"
