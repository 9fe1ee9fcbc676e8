"""The images that a person gives: photos, volumes and clips, read and turned upright, and where each of their pixels lies.

It may be imported by everything above; it imports only the ground (`errors`, `arrays`, `printable` and their like).
"""
