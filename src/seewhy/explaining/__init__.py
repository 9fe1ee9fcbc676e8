"""The one road from a question to heatmaps: one batch, one model, several methods, every number read once.

`methods` and everything above may import it; it imports `models.model`, `models.rule`, `maps`, `prepare`, `targets`, `images`
and the ground, and never a method.
"""
