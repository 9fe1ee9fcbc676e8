"""From maps to answers of where: boxes of several classes, label files, seeds, and segmenters that are trained on image labels.

It stands on `maps`, `methods` and `objects`; the metrics, the public names and the command line stand on it, and nothing below.
"""
