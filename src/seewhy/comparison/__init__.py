"""Two models beside each other: how far predictions and maps moved from one to the other, on the same photos.

Imports `methods`, `diagnosis` and what lies below them.
"""
