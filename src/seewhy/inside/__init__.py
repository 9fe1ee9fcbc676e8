"""What is in a network: its units, its attention heads, what a detector finds, what it saw in each photo of a set.

`api` and everything above may import it; it imports `methods`, `explaining` and below.
"""
