"""Where networks come from: torchvision, timm, Hugging Face, files of code, saved programs, the demo; and their weights.

Only `models.load` imports it; it imports `models.torch`, `demo` and what `models` may.
"""
