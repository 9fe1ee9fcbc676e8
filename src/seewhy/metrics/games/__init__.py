"""Games on grids of photos: does the evidence for a class lie in the cell whose photo shows it?"""
