"""The scores of many variants of one image, cheaply: batches, the tail behind a layer, the patches that changed.

`models.torch.model` imports it; it imports `passes` and `places`.
"""
