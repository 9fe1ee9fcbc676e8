"""Images that a unit, a class, a direction or a layer answers to most, found by gradient ascent.

Steps from parameters to an image are NumPy; each gives its result and a pullback: what makes of a gradient toward the result
one toward what came in.  Imports what `inside` may.
"""
