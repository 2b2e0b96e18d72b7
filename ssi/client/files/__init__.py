"""Files of nodes and of this machine, shown and copied by commands.

A *place* is what a person writes (``n1:/var/log``). Each machine's files are a *tree*, which can be
asked the same things wherever it is (:mod:`tree`): this machine's by the kernel (:mod:`local`), a
node's by its file server (:mod:`remote`), which a command asks as a guest (:mod:`guest`).
:mod:`copier` copies between any two trees, file by file (:mod:`filecopy`).
"""
