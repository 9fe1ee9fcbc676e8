"""How well maps localize: the protocols of weakly supervised localization and segmentation, each as published."""
