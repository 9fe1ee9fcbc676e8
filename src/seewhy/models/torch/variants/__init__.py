"""The scores of many variants of one image, cheaply: batches, the tail behind a layer, the patches that changed.

Of the five inner rooms (passes < places < rules, variants < attention) it imports `passes` and `places`, and not `rules`;
of the adapter it imports `scores`.
"""
