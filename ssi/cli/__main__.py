"""``python3 -m ssi.cli``: the command line."""

import sys

from ssi.cli.main import main

sys.exit(main())
