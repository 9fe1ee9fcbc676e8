"""A model that explains itself: the file that is written, what is told inside of it, and the check that it was written right.

It stands on the methods and the models' protocols, and knows no framework.
"""
