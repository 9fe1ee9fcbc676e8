"""What may be asked of a network, whatever framework it lives in, and the two doors to one: `wrap` and `load`.

`explaining` and everything above may import `model` and the records that it speaks in (`rule`, `pace`, `hazard`), `api` and
`report` also the doors; only the doors import the adapters (`torch`, `zoo`). It imports `prepare`, `targets`, `images`, the
ground and, in `zoo`, `demo`.
"""
