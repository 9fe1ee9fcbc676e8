"""What a network saw in each photo of a set, as a vector: its map, its neighbours, its files."""
