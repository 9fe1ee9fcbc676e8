"""What methods are made of: the method itself, and how it reads activations, gradients or the scores of changed images.

Every file of `methods` may import it; it imports `explaining` and what that may.
"""
