"""Attention as it ran: met in passing, put into its place in the image, read block by block.

The highest of the five inner rooms (passes < places < rules, variants < attention): it may import them all, and `runner`,
`scores` and `cuts` of the adapter.
"""
