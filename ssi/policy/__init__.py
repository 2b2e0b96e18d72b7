"""Where a job is to run: functions of a snapshot that decide and do nothing else."""
