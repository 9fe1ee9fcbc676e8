"""Where the cells of layers and tokens lie in the image, found out by running the network.

The rest of `models.torch` may import it; it imports `passes`.
"""
