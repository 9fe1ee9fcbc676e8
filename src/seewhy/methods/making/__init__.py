"""What methods are made of: the method itself, and how it reads activations, gradients or the scores of changed images.

Every file of `methods` and everything above (`diagnosis`, `api`, `cli`) may import it; it imports no file of `methods`, but
`explaining`, `models.pace` and what `explaining` may.
"""
