"""The result: a heatmap, its source, its regions, and the files that carry them.

`explaining` and everything above may import it; it imports `targets`, `pictures`, `images` and the ground.
"""
