"""Networks whose truth is known by planting."""
