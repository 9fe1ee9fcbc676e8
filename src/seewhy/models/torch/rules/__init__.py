"""Gradients and relevance led back by other rules than the plain one.

Of the five inner rooms (passes < places < rules, variants < attention) it imports `passes` and `places`, and not `variants`;
of the adapter it imports `scores`.
"""
