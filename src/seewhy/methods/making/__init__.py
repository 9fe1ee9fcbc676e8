"""What methods are built from: the class Method, and decorators for formulas of activations, gradients or scores.

Every file of `methods` and everything above (`diagnosis`, `api`, `cli`) may import it; it imports no file of `methods`, but
`explaining`, `models.pace` and what `explaining` may.
"""
