"""What a pass leaves: taps on layers, gradients, the graph between the image and the scores, the last linear layer, units.

The lowest of the five inner rooms (passes < places < rules, variants < attention): all of `models.torch` may import it, and it
imports no other of them, and `scores` of the adapter.
"""
