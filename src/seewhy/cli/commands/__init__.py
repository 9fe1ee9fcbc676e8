"""The commands, one file each; `cli.app` lists them.  They import what `cli` may."""
