"""``python3 -m ssi.cli``: the command line."""

import sys

from ssi.cli.warm.start import start_if_wanted

start_if_wanted()

from ssi.cli.main import main  # noqa: E402 - what takes long comes after what runs beside it

sys.exit(main())
