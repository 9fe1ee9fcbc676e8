"""Files of every kind, written here: pictures, volumes, and those of hostile strangers."""
