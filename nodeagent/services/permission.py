"""Whose job it is: only its owner and root may do anything with it."""

from __future__ import annotations

from nodeagent.dispatch import Caller
from nodeagent.job import Job
from nodeagent.jobtable import JobTable
from ssi.protocol.refusals import NotPermitted


def owned_job(table: JobTable, gpid: int, caller: Caller, node: str) -> Job:
    """The job of that gpid, for its owner or root.

    Raises:
        NoSuchProcess: There is none here.
        JobMoved: It left, and it is known where to.
        NotPermitted: It is another user's.
    """
    job = table.find(gpid)
    if not caller.is_root and caller.user != job.row.user:
        raise NotPermitted(node=node, user=caller.user, deed=f"touch job {gpid} of {job.row.user}")
    return job
