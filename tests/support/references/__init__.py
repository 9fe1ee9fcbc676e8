"""Methods a second time: slow, plain, from their papers, and without a line of seewhy."""
