"""A network that explains itself, as a graph: how maps are computed inside of it, how it is traced, the files it is written to.

It stands on the runner and all that lies below; `models.torch.model` imports it.
"""
