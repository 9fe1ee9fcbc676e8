"""Gradients and relevance led back by other rules than the plain one.

`models.torch.model` imports it; it imports `passes`.
"""
