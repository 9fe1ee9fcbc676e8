"""The map of a set of photos as a page: pan, zoom, choose with a lasso, and look at what lies where."""
