"""What can be explained of a model, at what cost, and what stands in the way.

`api` and everything above may import it; it imports `methods`, `explaining` and below.
"""
