"""Concepts: directions in a layer's channels that stand for something, where they lie in photos, and what rests on them.

It imports what lies below `inside`, and `inside.photo_batches`.
"""
