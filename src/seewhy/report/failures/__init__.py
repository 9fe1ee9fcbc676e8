"""The page of `seewhy report`: what was found of a run's failures, in one file that loads nothing."""
