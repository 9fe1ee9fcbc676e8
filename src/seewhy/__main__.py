"""`python -m seewhy` is `seewhy`."""

from .cli import main

main(prog_name="seewhy")
