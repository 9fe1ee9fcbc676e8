"""Where networks come from: torchvision, timm, Hugging Face, files of code, saved programs, and the weights for them.

Only `models.load` imports it; it imports `models.torch` and what `models` may.
"""
