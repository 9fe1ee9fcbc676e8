"""Large images by overlapping tiles: cut, explained one by one, joined to one map.

`explaining.ask` imports it; it imports the rest of `explaining` and what that may.
"""
