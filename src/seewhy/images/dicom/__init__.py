"""Series of DICOM files as volumes: headers, frames, the grid of their slices, Siemens mosaics.

`images.volumes` reads series by it, the command line asks it which files are one volume; it imports `images` and the ground.
"""
