"""One small process per job: it holds the job's streams and terminal, and moves it with CRIU.

The keeper forks a shim (:mod:`birth`), which becomes pid 1 of the job's namespaces, starts the
command as its :mod:`child`, and answers the agent on a Unix socket (:mod:`server`, with the
:mod:`messages` and :mod:`frames`). :mod:`shim` hands each request to who does it: the :mod:`job`
with its :mod:`stage`, its :mod:`lease` and its streams (:mod:`stdio`, where a :mod:`pump` moves
bytes between pipes or a :mod:`terminal` and a :mod:`stream` in memory or a :mod:`log` on disk), or,
for a move, :mod:`dump` and :mod:`restore`, each of which has a CRIU as its :mod:`worker`, and pass
on the :mod:`state`. A job needs neither agent nor keeper to go on; it needs its shim.
"""
