"""Masks brought to the edges in the image: ways to refine where a map lies above its threshold."""
