"""Runs and maps where people already look at data: FiftyOne, Embedding Atlas, Hugging Face's datasets, experiment trackers."""
