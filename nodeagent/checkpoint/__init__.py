"""Jobs kept as images: checkpoints by hand, their way back to life, and copies of running jobs.

:mod:`dumping` takes a running job's images and lets it go on; :mod:`store` keeps them on disk with
a :mod:`manifest` that only this node can sign; :mod:`delivery` brings images to life on any node by
the steps of a move. :mod:`revival` and :mod:`cloning` put these together.
"""
