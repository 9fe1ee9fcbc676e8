"""The photos of a set that excite units and classes most, and what in each of them does it."""
