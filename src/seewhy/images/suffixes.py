"""The names of files that are taken for photos where a folder, an archive or an address is looked through."""

PHOTOS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".webp", ".avif", ".tif", ".tiff", ".jp2",
    ".j2k", ".tga", ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
UNSEEN = ("._", ".seewhy-")  # what other systems keep beside each file; what runs that were killed left
