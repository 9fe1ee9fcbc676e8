"""From floats to pixels: colours, overlays, legends, and views of volumes, clips and signals.

Maps and everything above may import it; it imports `images` and the ground.
"""
