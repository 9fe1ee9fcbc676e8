"""A labelled set as a whole: its items, a run of a model over them, and the store in which the run's maps and facts lie."""
