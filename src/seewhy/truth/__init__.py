"""What is known of images beforehand, read from files: their labels, boxes and masks; and how answers and maps compare with it.

Maps and everything above may import it; it imports `targets`, `images` and the ground.
"""
