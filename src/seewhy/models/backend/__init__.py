"""What adapters of frameworks beside torch share: a model whose arrays are numpy's, over a small protocol that each framework
fills in.  It imports no framework.
"""
