"""Weak labels as files that tools of annotation and training read: a writer for each format, and the records that they take."""
