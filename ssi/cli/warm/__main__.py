"""``python3 -m ssi.cli.warm SOCKET``: a warm process in the foreground, to see what it says."""

import sys

from ssi.cli.warm.server import main

main(sys.argv[1])
