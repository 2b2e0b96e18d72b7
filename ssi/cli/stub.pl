# What a person starts as `ssi`: hands the command to the warm process, where there is one.
#
# It stands in for the command before the shell: it stops, continues and ends as the command does.
# Where no warm process answers, or where the command needs the terminal itself, it turns into the
# full program. It is Perl because that starts in a fifth of Python's time and is on every Debian;
# it loads no module, since strict and warnings alone would double its start. (The tests compile it
# under both.) docs/adr/0005-warm-faces.md tells the decision, ssi/cli/warm/request.py the protocol.
#
# Started by launch.sh, as: stub.pl COMMAND N WORD... ARGUMENT..., where the N words start the full
# program.

# Commands that a warm process carries out. The others draw on the terminal itself, leave processes
# behind or run for long, and get a process of their own.
our %WARM = map { $_ => 1 } qw(
    ps nodes free uptime run jobs wait logs disown stop cont kill
    freeze thaw migrate checkpoint checkpoints clients restore clone adopt why cordon uncordon
    mount umount cp ls cat tail __complete
    explain schema squeue scancel sinfo
);
our %READS_STDIN = (run => 1);
our @NAMESPACES = qw(mnt net pid user uts ipc cgroup);
our @RELAYED = (['HUP', 1], ['INT', 2], ['QUIT', 3], ['TERM', 15], ['TSTP', 20], ['WINCH', 28]);

our $ACCEPT_TIMEOUT_S = 0.5;    # in which a warm process accepts, or another way is taken
our $PROTOCOL = 2;              # between this file and a warm process; others never meet
our $MAX_SOCKET_PATH_BYTES = 107;
our $OTHERS_WRITE = 0002;
our $FAILED = 1;

# Linux, by the machine in the header of an ELF file (elf(5)). On others the full program runs.
our %SYSTEM_CALLS = (
    62  => {                                                                    # x86_64
        sigaction => 13, sigprocmask => 14, sendmsg => 46, signalfd4 => 289, exit_group => 231,
    },
    183 => {                                                                    # aarch64
        sigaction => 134, sigprocmask => 135, sendmsg => 211, signalfd4 => 74, exit_group => 94,
    },
);
our $SIGNAL_SET_BYTES = 8;
our ($SIG_BLOCK, $SIG_UNBLOCK, $SIG_SETMASK) = (0, 1, 2);
our ($SIGCONT, $SIGHUP) = (18, 1);
our ($AF_UNIX, $SOCK_STREAM, $SOL_SOCKET, $SCM_RIGHTS) = (1, 1, 1, 1);
our ($SO_PEERCRED, $SO_RCVTIMEO, $SO_SNDTIMEO) = (17, 20, 21);
our ($MSG_WAITALL, $MSG_NOSIGNAL) = (0x100, 0x4000);
our ($O_NONBLOCK, $O_PATH) = (04000, 010000000);
our ($SFD_NONBLOCK, $SFD_CLOEXEC) = (04000, 02000000);
our ($F_SETFL, $TIOCGPGRP) = (4, 0x540F);
our ($EINTR, $EPIPE, $SIGINFO_BYTES) = (4, 32, 128);

our ($command, $number, @arguments) = @ARGV;
our @full_program = splice @arguments, 0, $number;
our $calls;    # the numbers of system calls here
delete $ENV{PERL_BADLANG} if defined $ENV{PERL_BADLANG} && $ENV{PERL_BADLANG} eq '';    # launch.sh

main();

sub main {
    my $path = is_for_warm() && find_calls() ? socket_path() : undef;
    my $is_asked = defined $path && meet($path) && send_all(request());
    my $signals = $is_asked && compile_rest() ? hand_over() : undef;
    become_full($path) unless defined $signals;
    stand_in($signals);
}

# Compiles what is behind __END__; meanwhile the warm process looks whether it can serve us.
sub compile_rest {
    local $/;
    return eval <DATA>;
}

# Whether a warm process can carry out this command as well as the full program.
sub is_for_warm {
    my ($name, @words) = @arguments;
    return 0 unless defined $name && $WARM{$name};
    return 1 unless $READS_STDIN{$name};
    for (@words) {
        last if $_ eq '--';
        return 0 if $_ eq '--tty' || /^-(?!-).*t/s;
    }
    return !in_background();
}

# Whether the kernel would stop us for reading from the terminal.
sub in_background {
    my $foreground = pack 'i', 0;
    return 0 unless ioctl STDIN, $TIOCGPGRP, $foreground;    # no terminal, or one that is not ours
    return unpack('i', $foreground) != getpgrp;
}

# Knows the system calls of the machine that this very Perl was compiled for; false for others.
sub find_calls {
    open my $self, '<', '/proc/self/exe' or return 0;
    return 0 unless sysread($self, my $header, 20) == 20;
    my ($class, $order, $machine) = unpack 'x4 C C x12 S', $header;
    $calls = $SYSTEM_CALLS{$machine} if $class == 2 && $order == 1;    # 64 bits, little-endian
    return defined $calls;
}

# Turns into the full program, which starts a warm process at the path for the next time.
sub become_full {
    my ($path) = @_;
    delete $ENV{SSI_WARM_SOCKET};
    $ENV{SSI_WARM_SOCKET} = $path if defined $path;
    exec { $full_program[0] } @full_program, @arguments
        or complain("cannot start $full_program[0]: $!");
}

# The socket of the warm process that lives in the same world as we do; undef for none.
#
# A world is one person with the same rights in the same namespaces and the same language, and one
# installation of ssi with its Python. Different worlds never share a warm process.
sub socket_path {
    my @namespaces = map { readlink "/proc/self/ns/$_" } @NAMESPACES;
    return undef unless grep({ defined } @namespaces) == @NAMESPACES;    # no /proc here
    open my $name, '<', '/proc/sys/kernel/hostname' or return undef;
    my @languages = grep { $_ ne '' } map { $ENV{$_} // '' } qw(LC_ALL LC_CTYPE LANG);
    my $relative = grep { !m{^/} } $command, $full_program[0];
    my $world = join "\0", $PROTOCOL, $command, $relative ? readlink '/proc/self/cwd' : '',
        @full_program, (stat $full_program[0])[0, 1, 9], scalar <$name>,
        $<, $>, "$(", "$)", @namespaces, $languages[0] // '';
    # Two hashes by FNV-1a, of 32 bits each. They name a world among a few, and guard nothing.
    my ($one, $other) = (0x811C9DC5, 0xCBF29CE4);
    for (unpack 'C*', $world) {
        $one = ($one ^ $_) * 0x01000193 & 0xFFFFFFFF;
        $other = ($other ^ $_) * 0x01000193 & 0xFFFFFFFF;
    }
    my $directory = private_directory();
    my $path = sprintf '%s/%08x%08x', $directory, $one, $other;
    return $directory ne '' && length $path <= $MAX_SOCKET_PATH_BYTES ? $path : undef;
}

# A directory for sockets below one that nobody else can change; empty where there is none.
sub private_directory {
    my @places = (
        [$ENV{XDG_RUNTIME_DIR}, '/ssi'],
        [$ENV{HOME}, '/.local/state/ssi'],
    );
    unshift @places, ['/run/ssi', ''] if $> == 0;
    for (@places) {
        my ($place, $below) = @$_;
        next unless defined $place && $place =~ m{^/};
        my ($mode, $owner) = (stat $place)[2, 4];
        return "$place$below/warm" if defined $mode && $owner == $> && !($mode & $OTHERS_WRITE);
    }
    return '';
}

# Connects to the warm process; false where none listens, or where it is not ours.
sub meet {
    my ($path) = @_;
    socket WARM, $AF_UNIX, $SOCK_STREAM, 0 or return 0;
    wait_at_most($ACCEPT_TIMEOUT_S);
    $SIG{FPE} = 'DEFAULT';    # Perl ignores it, which the command is not to inherit
    connect WARM, pack 'S Z*', $AF_UNIX, $path or return 0;
    my ($pid, $user) = unpack 'i I', getsockopt WARM, $SOL_SOCKET, $SO_PEERCRED;
    return $user == $>;
}

sub wait_at_most {
    my $limit = pack 'l! l!', 0, $_[0] * 1e6;    # struct timeval
    setsockopt WARM, $SOL_SOCKET, $_, $limit for $SO_RCVTIMEO, $SO_SNDTIMEO;
}

# The words and the environment of this process.
sub request {
    my @words = ($command, @arguments);
    my $body = join "\0", scalar @words, @words, map { "$_=$ENV{$_}" } keys %ENV;
    return pack 'N/a*', $body;
}

# Sends all of it; false where it cannot.
sub send_all {
    my ($data) = @_;
    while ($data ne '') {
        my $sent = send WARM, $data, $MSG_NOSIGNAL;
        return 0 unless defined $sent || $! == $EINTR;
        substr $data, 0, $sent // 0, '';
    }
    return 1;
}

# Ends at once where that is known: to take itself apart first, Perl needs a millisecond.
sub leave {
    my ($status) = @_;
    syscall $calls->{exit_group}, $status + 0 if defined $calls;
    exit $status;
}

sub complain {
    syswrite STDERR, "ssi: $_[0]\n";
    leave($FAILED);
}

__END__

# Gives the command away; the descriptor to read signals from, undef where it is not accepted.
#
# Nothing runs before we say so, so a command that was not accepted in time never runs twice. Until
# we say so a signal does to us what it would do to the command; from then on the kernel keeps it
# until it is read and passed on, so none is lost.
sub hand_over {
    return undef unless hear(1) eq 'A';
    my @caught = grep { ($SIG{$_->[0]} // '') ne 'IGNORE' } @RELAYED;
    my $set = signal_set(map { $_->[1] } @caught);
    my $before = pack 'Q', 0;
    syscall $calls->{sigprocmask}, $SIG_BLOCK, $set, $before, $SIGNAL_SET_BYTES;
    my $signals = syscall $calls->{signalfd4}, -1, $set, $SIGNAL_SET_BYTES,
        $SFD_NONBLOCK | $SFD_CLOEXEC;
    if ($signals >= 0 && send_descriptors()) {
        wait_at_most(0);
        $SIG{PIPE} = 'IGNORE';    # that the warm process died, its socket tells
        return $signals;
    }
    close WARM;
    my $caught_before = unpack('Q', $set) & ~unpack('Q', $before);
    syscall $calls->{sigprocmask}, $SIG_UNBLOCK, pack('Q', $caught_before), 0, $SIGNAL_SET_BYTES;
    return undef;
}

sub signal_set {
    my $bits = 0;
    $bits |= 1 << $_ - 1 for @_;
    return pack 'Q', $bits;
}

# So many bytes, fewer at the end or when the time is over. Being stopped is no end (signal(7)).
sub hear {
    my ($length) = @_;
    my $data;
    1 until defined recv WARM, $data, $length, $MSG_WAITALL or $! != $EINTR;
    return $data // '';
}

# Says go, and with it gives away what the command reads and writes, where it is, and a pipe in which
# it finds its signals; false where it cannot.
sub send_descriptors {
    pipe THERE, SIGNALS or return 0;
    fcntl $_, $F_SETFL, $O_NONBLOCK for \*THERE, \*SIGNALS;
    sysopen my $directory, '.', $O_PATH or return 0;
    my $rights = pack 'l! i i i5 x4', 16 + 5 * 4, $SOL_SOCKET, $SCM_RIGHTS,
        0, 1, 2, fileno $directory, fileno THERE;    # struct cmsghdr
    my $word = 'G';
    my $vector = pack 'P L!', $word, 1;
    my $message = pack 'x16 P L! P L! x8', $vector, 1, $rights, length $rights;    # struct msghdr
    return 0 unless syscall($calls->{sendmsg}, fileno WARM, $message, $MSG_NOSIGNAL) == 1;
    return close THERE;
}

# Passes signals on, and stops, continues and ends as the command does.
sub stand_in {
    my ($signals) = @_;
    open SIGNALFD, '<&=', $signals or complain("cannot read signals: $!");
    my $both = '';
    vec($both, $_, 1) = 1 for $signals, fileno WARM;
    while (1) {
        my $ready = $both;
        next if select($ready, undef, undef, undef) < 0;
        relay() if vec $ready, $signals, 1;
        follow() if vec $ready, fileno WARM, 1;
    }
}

sub relay {
    while (sysread SIGNALFD, my $information, $SIGINFO_BYTES) {
        pass_on(unpack 'L', $information);
    }
}

# What the warm process says that became of the command happens to us too.
sub follow {
    my $message = hear(2);
    warm_process_died() if length $message < 2;
    my ($kind, $number) = unpack 'a C', $message;
    leave($number) if $kind eq 'X';
    suffer($number);
    leave(128 + $number) if $kind eq 'K';    # it was not enough to end us
    meet_terminal() if $READS_STDIN{$arguments[0]} && -t STDIN;
    pass_on($SIGCONT);
}

# What the signal does by default; comes back when we are continued.
sub suffer {
    my ($number) = @_;
    my ($default, $before) = ("\0" x 32, "\0" x 32);    # struct sigaction of the kernel
    my $set = signal_set($number);
    syscall $calls->{sigaction}, $number, $default, $before, $SIGNAL_SET_BYTES;
    kill $number, $$;
    my $mask = pack 'Q', 0;
    syscall $calls->{sigprocmask}, $SIG_UNBLOCK, $set, $mask, $SIGNAL_SET_BYTES;
    syscall $calls->{sigprocmask}, $SIG_SETMASK, $mask, 0, $SIGNAL_SET_BYTES;
    syscall $calls->{sigaction}, $number, $before, 0, $SIGNAL_SET_BYTES;
}

# Lets the kernel stop us, as any reader of the terminal, for as long as we are behind.
sub meet_terminal {
    pass_on($SIGHUP) unless defined sysread STDIN, my $nothing, 0;    # it is no longer ours
}

# Passes a signal on to the command. Where nobody reads it, its end has been told, or never will be.
sub pass_on {
    return if defined syswrite SIGNALS, chr $_[0] or $! != $EPIPE;
    my $told = '';
    vec($told, fileno WARM, 1) = 1;
    warm_process_died() unless select $told, undef, undef, 0;
}

sub warm_process_died {
    complain('its warm process died; whether the command was done is unknown');
}

1;
