"""The first words to a host's Python: one command line that takes the rest over its stdin.

The command line is public on the host (ps(1)), so it holds this loader and nothing else. The
loader is in the Python of fifteen years ago, because it has to *say* that a Python is too old;
what follows it is in ours.
"""

from __future__ import annotations

import json
import shlex
from importlib import resources

from ssi.deploy import onhost

NEEDED = "3.11"

# Of several Pythons, python3 is often the oldest: the newest that serves takes over, once.
LOADER = """\
import json, os, sys, types
v = sys.version_info[:2]
if v < (3, 11):
    import shutil
    for n in range(29, 10, -1):
        p = shutil.which("python3.%d" % n)
        if p and "SSI_FOUND" not in os.environ:
            os.environ["SSI_FOUND"] = p
            os.execv(p, open("/proc/self/cmdline", "rb").read().split(b"\\0")[:-1])
    fields = {"found": "%d.%d" % v, "needed": "3.11"}
    print(json.dumps({"event": "failed", "word": "python-too-old", "fields": fields}))
    sys.exit(0)
i = sys.stdin.buffer
for name, text in json.loads(i.read(int.from_bytes(i.read(4), "big")).decode()):
    module = sys.modules[name] = types.ModuleType(name)
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)
    exec(compile(text, name, "exec"), module.__dict__)
module.main()
"""


def command() -> str:
    """The command line for the host's shell, whichever that is: one line, quoted once."""
    return "exec python3 -I -S -c " + shlex.quote(f"exec({LOADER!r})")


def program() -> bytes:
    """The modules of :mod:`ssi.deploy.onhost` as the loader takes them: names and texts."""
    folder = resources.files(onhost)
    names = ["__init__", *onhost.MODULES]
    modules = []
    for each in names:
        name = onhost.__name__ if each == "__init__" else f"{onhost.__name__}.{each}"
        modules.append([name, folder.joinpath(f"{each}.py").read_text()])
    return json.dumps(modules).encode()
