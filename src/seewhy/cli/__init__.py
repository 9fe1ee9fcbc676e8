"""`seewhy` on the command line.  Nothing heavy is imported before it is needed.

Only `__main__` imports it; it imports `api`, `report` and what stands below them.
Imports inside a function run when the command does, so that `--help` and the completion of shells are quick.
"""
