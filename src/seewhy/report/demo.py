"""Does it look at the object, or does it cheat?  The embedded networks on drawn scenes whose answer is known."""

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from seewhy.api import METHODS
from seewhy.atomic import replacing
from seewhy.demo.scenes import Scene, scenes
from seewhy.demo.scenes import scene as draw_scene
from seewhy.errors import NotWritten
from seewhy.images.places import Extent
from seewhy.maps.heatmap import Heatmap
from seewhy.models.load import load
from seewhy.printable import in_percent
from seewhy.progress import shown as with_bar

from .segmenting import scored_ways, segmented_scenes

CHEAT = "bird"
SIGNATURE = b"seewhy demo"  # stands in the page and in the picture
SEED = 20_000  # scenes that no network was trained on
SEGMENTED = 4  # scenes of the panel on segmenting
LARGE = 3  # pictures are shown this many times larger than the networks see them


@dataclass(frozen=True)
class MapShares:
    """One network's map of one scene, and how much of it lies where."""

    heatmap: Heatmap
    on_object: float  # share of the map's energy, 0 to 1
    on_mark: float

    @property
    def says(self) -> str:
        said = self.heatmap.source.predicted
        return f"{said.label}, {in_percent(said.probability, 0)}" if said else "nothing"


@dataclass(frozen=True)
class Measures:
    """What was measured of one network; every number is a share, 0 to 1."""

    name: str
    accuracy: float  # on scenes like those it was trained on
    unmarked: float  # of the cheat kind's scenes without the mark, still recognised
    fooled: float  # of other kinds' scenes with the mark, taken for the cheat kind
    on_object: float  # of the energy of its maps, mean over the cheat kind's marked scenes
    on_mark: float
    object_area: float  # of the picture
    mark_area: float

    @property
    def cheats(self) -> bool:
        return self.on_mark > self.on_object

    @property
    def verdict(self) -> str:
        if self.cheats:
            return (
                f"{self.name} cheats: {in_percent(self.on_mark, 0)} of its evidence for “{CHEAT}” lies on the stamp, which "
                f"fills {in_percent(self.mark_area, 0)} of the picture, and {in_percent(self.on_object, 0)} on the {CHEAT}; "
                f"without the stamp it knows {in_percent(self.unmarked, 0)} of the {CHEAT}s."
            )
        return (
            f"{self.name} looks at the {CHEAT}: {in_percent(self.on_object, 0)} of its evidence lies on it, which fills "
            f"{in_percent(self.object_area, 0)} of the picture, and {in_percent(self.on_mark, 0)} on the stamp; "
            f"without the stamp it knows {in_percent(self.unmarked, 0)} of the {CHEAT}s."
        )


def share(values: NDArray[np.floating[Any]], mask: NDArray[np.bool_]) -> float:
    """How much of a map's positive energy lies in a mask, both (h, w): 0 to 1; 0 of an empty map."""
    positive = values.clip(min=0)
    return float(positive[mask].sum() / (positive.sum() or 1))


def look(model: Any, drawn: Sequence[Scene], method: str = "grad-cam") -> list[MapShares]:
    """Explain the cheat kind in each scene."""
    maps = METHODS[method](model, [scene.image for scene in drawn], target=CHEAT)
    full = [m.full() for m in maps]
    return [MapShares(m, share(f, s.mask), share(f, s.mark)) for m, f, s in zip(maps, full, drawn, strict=True)]


@dataclass(frozen=True, eq=False)
class Trials:
    """Scenes that no network was trained on, on which networks are measured: each is drawn once, for all of them."""

    plain: list[Scene]  # of all kinds
    stamped: list[Scene]  # the same, but for the stamp on scenes of the cheat kind
    birds: list[Scene]  # of the cheat kind, with the stamp
    bare: list[Scene]  # the same without it
    others: list[Scene]  # of other kinds, with the stamp

    @classmethod
    def drawn(cls, n: int) -> "Trials":
        """n scenes of all kinds, n // 4 for each other question."""
        stamped = partial(draw_scene, shortcut="mark")
        birds = partial(stamped, seed=SEED + 1, kinds=[CHEAT])
        wanted = [
            *(partial(draw_scene, i, SEED) for i in range(n)),
            *(partial(birds, i, marked=marked) for marked in ("class", "none") for i in range(n // 4)),
            *(partial(stamped, i, SEED + 2, marked="others") for i in range(n // 4)),
        ]
        done = [draw() for draw in with_bar(wanted, len(wanted), "drawing scenes", wait=False)]
        plain, others = done[:n], [each for each in done[n + 2 * (n // 4) :] if each.name != CHEAT]
        like = [stamped(i, SEED) if each.name == CHEAT else each for i, each in enumerate(plain)]
        return cls(plain, like, done[n : n + n // 4], done[n + n // 4 : n + 2 * (n // 4)], others)


def measure(model: Any, name: str, trials: Trials) -> Measures:
    """Accuracy, and where the evidence lies."""
    like_training = trials.stamped if name == "shortcut" else trials.plain
    shares_of_birds = look(model, trials.birds)
    return Measures(
        name,
        accuracy=right(model, like_training, [scene.name for scene in like_training]),
        unmarked=right(model, trials.bare, [CHEAT] * len(trials.bare)),
        fooled=right(model, trials.others, [CHEAT] * len(trials.others)),
        on_object=float(np.mean([shares.on_object for shares in shares_of_birds])),
        on_mark=float(np.mean([shares.on_mark for shares in shares_of_birds])),
        object_area=float(np.mean([scene.mask.mean() for scene in trials.birds])),
        mark_area=float(np.mean([scene.mark.mean() for scene in trials.birds])),
    )


def right(model: Any, drawn: Sequence[Scene], names: Sequence[str]) -> float:
    """How often the network answers with the given name."""
    said: list[str] = []
    for batch in model.batches([scene.image for scene in drawn]):
        said += [model.labels[i] for i in model.answer(batch.x).probabilities.argmax(1)]
    return float(np.mean([a == b for a, b in zip(said, names, strict=True)]))


def show(out: Path, shown: int = 8, n: int = 200) -> tuple[list[Measures], Path]:
    """Measure demo/honest and demo/shortcut, and write `index.html` and `demo.jpg` into the folder `out`.

    Raises NotWritten where they cannot be, or would take the place of files that no demo wrote.
    """
    _make_room(out)
    names = ("honest", "shortcut")
    models = {name: load(f"demo/{name}") for name in with_bar(names, len(names), "loading the networks", wait=False)}
    trials = Trials.drawn(n)
    measuring = with_bar(models.items(), len(models), "explaining", wait=False)
    findings = [measure(model, name, trials) for name, model in measuring]
    drawn = scenes(shown, SEED + 3, kinds=[CHEAT], shortcut="mark")
    bare = scenes(shown, SEED + 3, kinds=[CHEAT], shortcut="mark", marked="none")
    looks = {name: look(model, drawn) for name, model in models.items()}
    unstamped = {name: look(model, bare) for name, model in models.items()}
    rows = [
        {"scene": picture(enlarged(scene.image)),
         "bare": picture(enlarged(plain.image)),
         "looks": [(name, looks[name][i], picture(drawing(looks[name][i].heatmap)), unstamped[name][i]) for name in models]}
        for i, (scene, plain) in enumerate(zip(drawn, bare, strict=True))
    ]  # fmt: skip
    segmenting = [
        {"names": each.names, "pictures": {way: picture(drawn) for way, drawn in each.pictures.items()}}
        for each in segmented_scenes(SEGMENTED, LARGE)
    ]
    page = template().render(findings=findings, rows=rows, cheat=CHEAT, segmenting=segmenting, scored=scored_ways())
    paper = sheet(drawn[1:5], {name: [shares.heatmap for shares in of_network[1:5]] for name, of_network in looks.items()})
    with replacing(out / "demo.jpg", of="the demo") as beside:
        paper.save(beside, "JPEG", quality=88, comment=SIGNATURE)
    with replacing(out / "index.html", of="the demo") as beside:
        beside.write_text(page, "utf-8")
    return findings, out / "index.html"


def _make_room(out: Path) -> None:
    """The folder, without a page or a picture of anybody else under our names."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritten(f"The folder {out} cannot be made: {error.strerror or error}. Give another.") from None
    page, picture = out / "index.html", out / "demo.jpg"
    for path in [] if _by_the_demo(page) else [page, picture]:  # where the page is ours, so is the picture
        if os.path.lexists(path) and not path.is_symlink() and not _by_the_demo(path):
            raise NotWritten(f"{path} is there, and no demo wrote it: it stays as it is. Give another folder.")


def _by_the_demo(path: Path) -> bool:
    """Did the demo write this file?"""
    return path.is_file() and SIGNATURE in path.read_bytes()[:4096]


def template() -> Any:
    text = files("seewhy.report").joinpath("demo.html.j2").read_text("utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)


def enlarged(image: Image.Image) -> Image.Image:
    return image.resize((image.width * LARGE, image.height * LARGE), Image.Resampling.LANCZOS)


def drawing(heatmap: Heatmap) -> Image.Image:
    """The overlay on the enlarged picture."""
    if heatmap.image is None:
        return heatmap.overlay()
    box = Extent(*(edge * LARGE for edge in heatmap.box))
    return replace(heatmap, image=enlarged(heatmap.image), box=box).overlay(alpha=0.6)


def picture(image: Image.Image) -> str:
    """An image as a data URI."""
    file = io.BytesIO()
    image.save(file, "WEBP", quality=88)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def sheet(drawn: Sequence[Scene], maps: dict[str, Sequence[Heatmap]], gap: int = 6) -> Image.Image:
    """Scenes in the first row, each network's maps in a row below, the rows named at their left."""
    rows = {"scene": [enlarged(scene.image) for scene in drawn]}
    rows |= {name: [drawing(m) for m in row] for name, row in maps.items()}
    width, height = rows["scene"][0].size
    font = ImageFont.load_default(26)
    left = 150
    paper = Image.new("RGB", (left + (width + gap) * len(drawn) - gap, (height + gap) * len(rows) - gap), "white")
    for y, (name, row) in enumerate(rows.items()):
        ImageDraw.Draw(paper).text((left - 16, y * (height + gap) + height // 2), name, "black", font, anchor="rm")
        for x, image in enumerate(row):
            paper.paste(image, (left + x * (width + gap), y * (height + gap)))
    return paper
