"""The adapter of torch networks: the one place that runs them and looks inside.

Only `models.wrap` and `models.zoo` import it; it imports what `models` may, but neither those two nor `demo`.
"""
