"""``srun``, ``sbatch``, ``squeue``, ``scancel`` and ``sinfo`` for fingers that know Slurm.

They are other spellings of ssi's own verbs: no queue stands behind them, and nothing is reserved.
:mod:`options` has the options that they share, :mod:`script` reads ``#SBATCH`` lines, and each verb
has a module. Options that are not there are refused by name. Source: srun(1), sbatch(1).
"""
