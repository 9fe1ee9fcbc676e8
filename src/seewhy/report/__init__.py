"""Pages and pictures that tell a story of many maps: the demonstration, later the report of failures.

Only `cli` imports it; it imports `api` and what stands below that.
"""
