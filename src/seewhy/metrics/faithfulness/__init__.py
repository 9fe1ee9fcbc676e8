"""Does the score follow the map: what becomes of it when the places that the map names are hidden or shown.

Each file holds metrics of one idea.  It imports `metric.py` and `subject.py` of this room, and what these may.
"""
