"""What a pass leaves: taps on layers, gradients, the graph between the image and the scores, the last linear layer, units.

The rest of `models.torch` may import it.
"""
