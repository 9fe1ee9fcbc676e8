"""Maps written as files of every kind."""

from pathlib import Path
from typing import Any

from .heatmap import Heatmap, overlay_of
from .saving import Writer, bytes_writer, geotiff_writer, nifti_writer, npy, npz_writer, save


def _vector_writer(form: str, heatmap: Heatmap, picture: str, look: dict[str, Any]) -> Writer:
    from .vector import pdf, svg  # here, for importing it takes a while

    return bytes_writer((svg if form == "svg" else pdf)(*heatmap.apart(picture, **look), heatmap.source))


def write(heatmap: Heatmap, path: Path, picture: str, look: dict[str, Any], over: bool = True) -> None:
    """Write a map as `Heatmap.save` does.

    over: take the place of a file that is there.
    Raises NotWritten, which names the file and the image; what was there before is then as it was.
    """
    shown, source = overlay_of(heatmap), heatmap.source
    writers = {
        "png": lambda: bytes_writer(heatmap._png(picture, **look)),
        "svg": lambda: _vector_writer("svg", heatmap, picture, look),
        "pdf": lambda: _vector_writer("pdf", heatmap, picture, look),
        "npz": lambda: npz_writer(shown, source, heatmap.channels, heatmap.error, heatmap.regions),
        "npy": lambda: bytes_writer(npy(heatmap.values)),
        "nifti": lambda: nifti_writer(path.name, heatmap.image, heatmap.full, source),
        "geotiff": lambda: geotiff_writer(shown, source),
    }
    save(path, writers, source.image, over)
