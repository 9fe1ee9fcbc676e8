"""Attention as it ran: met in passing, put into its place in the image, read block by block.

`models.torch.model` imports it; it imports `passes` and `places`.
"""
