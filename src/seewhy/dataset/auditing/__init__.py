"""Is a model right for the wrong reason?  What gives the classes of a set away, and whether the model's answers follow it."""
