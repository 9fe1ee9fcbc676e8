"""Keras 3 networks, on whichever backend Keras runs; on torch they are read by the torch adapter."""
