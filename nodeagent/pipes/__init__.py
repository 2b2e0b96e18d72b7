"""Pipes between jobs: one's output is another's stdin, wherever the two are, and wherever they go.

The agent of the job that **reads** does the work: it fetches bytes from the node of the job that
writes and gives them to its own shim. What it must remember for that, where the pipe comes from and
how far it got, is in the job's row and in its shim, which travel with the job and outlive the agent
(``docs/adr/0017-the-reader-of-a-pipe-pulls.md``). ``pull`` decides what is done next, ``puller``
does it, ``finder`` looks for a job that is not where it was.
"""
