"""Where a map is strong, as arrays alone: thresholds, connected regions, the boxes around them, masks and how they are refined.

Maps and everything above may import it; it imports `images` and the ground.
"""
