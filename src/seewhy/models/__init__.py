"""What may be asked of a network, whatever framework it lives in, and the two doors to one: `wrap` and `load`.

`explaining` and everything above may import `models.model`; only `wrap` and `load` import the adapters (`torch`, `zoo`). It
imports `prepare`, `targets`, `images` and the ground.
"""
