"""What was changed a moment ago on another node is seen by a job that is started after that.

A mount believes for a moment, by default for a second, what it was told of another node's files.
Whoever knows by other ways that something may be different by now, as the shim does of which a job
is asked, says so first: it reads an extended attribute of the mount's root that no file has.
"""

from __future__ import annotations

import errno
import os
from typing import Final

DOUBT: Final = "ssi.doubt"
"""The attribute. xattr(7) has no namespace of that name, so that the kernel passes it on to file
systems that take any."""

_ANSWERS: Final = frozenset({errno.ENODATA, errno.EOPNOTSUPP})
"""Of a mount, and of a file system that is none of ours."""


def doubt(root: str) -> None:
    """What the mount with this root was told is not believed any more; other mounts know it all.

    Raises:
        OSError: It could not be told.
    """
    try:
        os.getxattr(root, DOUBT)
    except OSError as exc:
        if exc.errno not in _ANSWERS:
            raise
