"""Processes that ssi did not start become jobs, where that can be done, and are told why where not.

:mod:`tree` reads what a process and its descendants are, :mod:`suitability` judges it, and
:mod:`adopter` dumps the tree where it stands and brings it to life as a job, here or elsewhere.
"""
