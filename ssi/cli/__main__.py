"""``python3 -m ssi.cli``: the command line."""

import signal
import sys

hears_interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if hears_interrupts:  # ^C ends us without a word while there is nothing to tidy up
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from ssi.cli.descriptors import fill_closed  # noqa: E402
from ssi.cli.invocation import leave  # noqa: E402
from ssi.cli.shell import is_surely_for_shell, main_of_shell  # noqa: E402

fill_closed()
if sys.argv[0].rpartition("/")[2] == "sh":  # as bash, which is a POSIX shell where it is called so
    sys.argv.insert(1, "--posix")
if is_surely_for_shell(sys.argv[1:]):  # which needs neither the tree of commands nor a warm process
    leave(main_of_shell(sys.argv[1:]))

from ssi.cli.warm.start import start_if_wanted  # noqa: E402

start_if_wanted()

from ssi.cli.main import main  # noqa: E402 - what takes long comes after what runs beside it

if hears_interrupts:
    signal.signal(signal.SIGINT, signal.default_int_handler)
leave(main())
