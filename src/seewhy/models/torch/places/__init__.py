"""Where the cells of layers and tokens lie in the image, determined by running the network.

The second of the five inner rooms (passes < places < rules, variants < attention): it imports `passes` of them alone, and
`inputs` of the adapter.
"""
