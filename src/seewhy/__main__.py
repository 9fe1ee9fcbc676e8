"""`python -m seewhy` is `seewhy`."""

from seewhy.cli.app import main

main(prog_name="seewhy")
