"""``ssi schema``: what commands promise to print for programs, as JSON Schema."""

from __future__ import annotations

import json
import sys

from ssi.view.schema import json_schema


def schema() -> None:
    """Show the schema of -o json, with its version, as JSON Schema."""
    sys.stdout.write(f"{json.dumps(json_schema(), indent=2)}\n")
