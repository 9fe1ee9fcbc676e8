"""A set of photos: what a person names as the data, as numbered photos that are read ahead."""
