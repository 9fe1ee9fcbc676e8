"""`seewhy` on the command line.  Nothing heavy is imported before it is needed.

Nothing imports it; it imports `api` and below.
"""
