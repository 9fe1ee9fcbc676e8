"""Files that look like those of seewhy and are not."""

import io

import numpy as np
from PIL import Image, PngImagePlugin


def chunked(text: str) -> bytes:
    note, file = PngImagePlugin.PngInfo(), io.BytesIO()
    note.add_itxt("seewhy", text)
    Image.new("RGB", (2, 2)).save(file, "PNG", pnginfo=note)
    return file.getvalue()


def saved(save, *args, **how) -> bytes:
    file = io.BytesIO()
    save(file, *args, **how)
    return file.getvalue()


PHOTO = Image.new("RGB", (4, 4))


STRANGERS = {
    "photo.png": saved(PHOTO.save, "PNG"),
    "photo.jpg": saved(PHOTO.save, "JPEG"),
    "other.npz": saved(np.savez, x=np.zeros(3)),
    "array.npz": saved(np.save, np.zeros(3)),
    "words.png": chunked("cheese"),
    "list.png": chunked("[1, 2]"),
    "number.png": chunked("3"),
    "part.png": chunked('{"warnings": [], "predicted": null}'),
    "guess.png": chunked('{"warnings": [], "predicted": {"who": 3}}'),
    "text.png": b"hello",
    "empty.png": b"",
    "empty.npz": b"",
    "broken.npz": b"PK\x03\x04 and no more",
    "text.npz": b"hello",
}
