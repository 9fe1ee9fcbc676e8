"""A map made again from its Source, and held against what was saved: is it the same, and if not, what is other?

It imports everything below the public names; `maps/source.py` and `cli/` import it when they are asked.
"""
