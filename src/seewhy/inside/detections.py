"""What a detector detects in an image: the list of what the target Box can explain."""

from dataclasses import dataclass, field
from typing import Any

from seewhy.arguments import known_names
from seewhy.images.inputs import Images
from seewhy.models.model import Model, require
from seewhy.targets.aim import Aim, ImageView, Pinned
from seewhy.targets.box import Detection, by_score
from seewhy.targets.detector import detections_of


@known_names()
def detections(model: Model, images: Images) -> list[list[Detection]]:
    """What a detector detects in each image, by falling score; each is a target: `Box(label, index)` or `Box(label, box)`.

    Raises NotApplicable where the model is no detector.
    """
    require(model, "scores")
    by_image: list[list[Detection]] = []
    for batch in model.batches(images):
        for i, photo in enumerate(batch.photos):
            detector = model.beside(len(by_image), 1)
            size = photo and photo.pixels.size
            collected = Everything()
            view = ImageView(tuple(batch.x.shape[2:]), size, batch.known_box(i), model.labels)
            detector.aimed([collected], batch.x[i : i + 1], view)
            by_image.append(collected.detections)
    return by_image


@dataclass(frozen=True)
class Everything(Aim):
    """An aim at no single detection: as it is pinned it collects all of them."""

    detections: list[Detection] = field(default_factory=list)

    def pin(self, output: Any, view: ImageView) -> Pinned:
        self.detections.extend(by_score(detections_of(output, view)[0], view))
        return Pinned(lambda given: given, "probability", "everything")
