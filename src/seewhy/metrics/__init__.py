"""How well maps do, in numbers with their intervals and controls.

It stands on `methods` and `localize`; the public names and the command line stand on it.
"""
