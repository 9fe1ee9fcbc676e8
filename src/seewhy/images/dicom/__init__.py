"""Series of DICOM files as volumes: headers, frames, the grid that they make, Siemens mosaics.

Only `images.volumes` imports it; it imports `images` and the ground.
"""
