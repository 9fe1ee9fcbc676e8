"""SEC: a segmenter trained on image labels alone, by seeds, expansion and constrained boundaries (Kolesnikov & Lampert 2016).

Its losses and its trainer are the one place of `localize` that imports torch.
"""
