"""A check's outcome, and how it is run again: defined below the metrics, so that evidence records can hold it."""

from seewhy.remaking.checks import RUNS_AGAIN, Check, Status, run_again, runs_again

__all__ = ["RUNS_AGAIN", "Check", "Status", "run_again", "runs_again"]
