"""The files of every node on every node, below ``/ssi/n``.

Three processes, apart from the agent, so that neither delays the other. The *warden* mounts and
keeps each mount's ``/dev/fuse`` descriptor; it forks the other two from a warm image, and again
when one dies. The *worker* (``mount``) answers the kernel for all mounts of this machine, by asking
the *server* (``server``) of the node whose files they are. ``fuse`` speaks with the kernel.
``docs/files.md`` tells what differs from a local file system.
"""
