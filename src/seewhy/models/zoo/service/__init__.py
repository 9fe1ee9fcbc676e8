"""Models behind an address: a service that is sent photos or tensors by HTTP, and answers with scores.

`service.py` is the door; it imports the others, and httpx, when such a model is first loaded.
"""
