"""The commands, one file each; `cli.app` lists them."""
