"""Pure functions of JAX and modules of Flax."""
