"""The border to the network: from pictures to arrays (n, c, *space), and which part of each picture the network sees.

Models and everything above may import it; it imports `images` and the ground.
"""
