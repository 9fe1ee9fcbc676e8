"""Which number is explained: a class, a contrast, a unit, a region, a box, a similarity; and how a person writes it.

Maps, models and everything above may import it; it imports `images` and the ground.
"""
