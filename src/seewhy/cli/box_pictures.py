"""Pictures of what `seewhy localize` found: each photo with its boxes and regions, and the true ones beside.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from .filenames import stem
from .folder import OutFolder, check_folder, make_folder
from .localization_scores import ScoredPhoto
from .question import PhotoMaps

if TYPE_CHECKING:
    from seewhy.maps.image_boxes import ImageBoxes

KIND = "boxes"  # the end of their names: cat.top-1-tabby.layer4.grad-cam.boxes.png


class BoxPictures:
    """The folder that they are written into.  Raises NotWritten where nothing can be written there."""

    def __init__(self, out: Path) -> None:
        check_folder(out)
        self.folder = OutFolder(out)

    def open(self) -> None:
        make_folder(self.folder.out)

    def put(self, found: PhotoMaps, boxes: "ImageBoxes", true: ScoredPhoto) -> Path | None:
        """Write the picture of one photo; None of what is no photo, on which no boxes can be drawn."""
        from PIL import Image

        if not isinstance(found.image, Image.Image):
            return None
        source = found.maps[0].source

        def write(path: Path, over: bool) -> None:
            from seewhy.atomic import replacing
            from seewhy.maps.saving import png

            edges = true.boxes.boxes if true.boxes else None
            drawn = boxes.outlined(edges, true.mask.mask if true.mask else None, legend=True)
            with replacing(path, over, f"the boxes on {source.image}") as beside:
                beside.write_bytes(png(drawn, source))

        (path,) = self.folder.put(stem(source), source, {f".{KIND}.png": write}).values()
        return path
