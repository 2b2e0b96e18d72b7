"""``python3 -m ssi.cli``: the command line."""

import sys

from ssi.cli.descriptors import fill_closed
from ssi.cli.shell import is_surely_for_shell, main_of_shell

fill_closed()
if is_surely_for_shell(sys.argv[1:]):  # which needs neither the tree of commands nor a warm process
    sys.exit(main_of_shell(sys.argv[1:]))

from ssi.cli.warm.start import start_if_wanted  # noqa: E402

start_if_wanted()

from ssi.cli.main import main  # noqa: E402 - what takes long comes after what runs beside it

sys.exit(main())
