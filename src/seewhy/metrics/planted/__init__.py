"""Truth that is planted: marks in a person's own photos, on which a head of the person's own backbone is made to depend."""
