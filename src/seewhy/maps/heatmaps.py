"""Many maps, in the order in which they were asked for, and the images of which there are none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from PIL import Image

from seewhy.errors import BadParameter
from seewhy.pictures.canvas import DrawingOptions, strip
from seewhy.pictures.render import VALUE, Alpha
from seewhy.printable import printable, words_of

from .answering import answers, is_labelled
from .heatmap import Heatmap, overlay_of
from .image_boxes import ImageBoxes, boxes_by_image

if TYPE_CHECKING:
    from .sheet import SheetRow

NOTEBOOK, NOTEBOOK_WIDTH = 12, 160  # maps that a notebook shows, and pixels of each


class Failed(NamedTuple):
    """An image that was left out, as a map of it is missing."""

    place: int  # among those given
    name: str
    error: Exception  # why; its `partial` has the maps that there are

    @property
    def facts(self) -> dict[str, str]:
        """Which image, and why, for JSON."""
        return {"image": self.name, "error": str(self.error)}


class Refused(NamedTuple):
    """A part of the question that cannot be asked of this model: of it there is no map of any image."""

    method: str  # "" of all
    target: str  # "" of all
    error: Exception  # why, and what to do instead

    @property
    def facts(self) -> dict[str, str]:
        """Which method, and why, for JSON."""
        return {"method": self.method, "error": str(self.error)}


@dataclass(frozen=True, eq=False)
class Heatmaps(Sequence[Heatmap]):
    """Heatmaps in the order image, target, layer, method.

    failed: the images that `explain(..., on_error="skip")` left out, each with its place, its name and the error; slices
        tell of them, too.
    refused: the methods and targets that it left out, as they cannot be asked of this model: method, target, error.
    """

    maps: tuple[Heatmap, ...]
    failed: tuple[Failed, ...] = ()
    refused: tuple[Refused, ...] = ()

    def __len__(self) -> int:
        return len(self.maps)

    @overload
    def __getitem__(self, at: int) -> Heatmap: ...
    @overload
    def __getitem__(self, at: slice) -> "Heatmaps": ...
    def __getitem__(self, at: int | slice) -> "Heatmap | Heatmaps":
        return Heatmaps(self.maps[at], self.failed, self.refused) if isinstance(at, slice) else self.maps[at]

    def __iter__(self) -> Iterator[Heatmap]:
        return iter(self.maps)

    def where(
        self, image: int | str | None = None, target: Any = None, layer: str | None = None, method: str | None = None
    ) -> "Heatmaps":
        """The maps of one image (its place or name), target (as asked, or the index or label found), layer, method; and
        what was left out of that image, or of all.
        """
        found = [
            m
            for m in self.maps
            if (image is None or m.place == image or m.source.image == str(image))
            and layer in (None, m.source.layer)
            and (method is None or str(getattr(method, "name", method)).replace("_", "-") == m.source.method)
        ]
        if target is not None:
            answering = [m for m in found if answers(m.source, target)]
            found = answering or [m for m in found if is_labelled(m.source, target)]
        return Heatmaps(
            tuple(found),
            tuple(left for left in self.failed if image is None or left.place == image or left.name == str(image)),
            self.refused,
        )

    def boxes(
        self,
        threshold: float | None = None,
        of: str = "max",
        components: str = "largest",
        connectivity: int = 8,
        least: float | None = None,
        preset: str | None = None,
        refine: Any = None,
        suppress: float | None = 0.5,
    ) -> list[ImageBoxes]:
        """The boxes of all maps of each image together, as of several classes: a record for each image, in their order; of
        those that were left out or have no box it says why.

        suppress: of boxes whose IoU is more than this the surest stays, whatever class it is of: that with the highest class
            probability times score; None: all stay.  The record tells what was left out, and for what.
        The rest is as in `Heatmap.boxes`.
        Raises BadParameter where maps of one image have different sizes.
        """
        how = {"threshold": threshold, "of": of, "components": components, "connectivity": connectivity}
        return boxes_by_image(self.maps, self.failed, suppress, **how, least=least, preset=preset, refine=refine)

    def scale(self) -> tuple[float, float]:
        """The lowest and highest value of all maps, for `overlay(scale=)`: one scale for many maps."""
        if not self.maps:
            raise BadParameter("There are no maps to find a scale of.")
        return float(min(m.values.min() for m in self.maps)), float(max(m.values.max() for m in self.maps))

    def strip(
        self, count: int = 12, alpha: Alpha = VALUE, colours: str | None = None, legend: bool = False
    ) -> Image.Image:  # fmt: skip
        """Maps over photos of one size as a filmstrip on one scale, such as those of a clip that a 2-D network saw frame by
        frame: `count` of them, spread evenly, each headed by its place.

        Raises BadParameter where they are not of one question: one target, layer and method (`where` picks them).
        """
        questions = sorted({f"{m.source.method} for {m.source.target} at {m.source.layer}" for m in self})
        photos = all(isinstance(m.image, Image.Image) for m in self)
        if len(questions) != 1 or len({m.size for m in self}) != 1 or not photos:
            there = "; ".join(questions) or "none"
            raise BadParameter(
                f"A strip shows maps of one question over photos of one size; here are {there}. Pick with where()."
            )
        captions = {replace(m.source, probability=None).caption for m in self}  # each frame has a probability of its own
        caption = captions.pop() if len(captions) == 1 else f"{questions[0]}, of each by itself"
        signed = any(bool(m.source.params.get("signed")) for m in self)
        return strip([*map(overlay_of, self)], DrawingOptions(alpha, colours, legend, count=count), signed, caption)

    def __add__(self, more: "Heatmaps") -> "Heatmaps":
        """These maps and more, such as those of another model, for `grid`."""
        if not isinstance(more, Heatmaps):
            return NotImplemented
        return Heatmaps((*self.maps, *more.maps), (*self.failed, *more.failed), (*self.refused, *more.refused))

    def grid(
        self,
        columns: str | Sequence[str] | None = None,
        width: int = 240,
        rows: int = 50,
        picture: str = "overlay",
        **look: Any,
    ) -> Image.Image:
        """One picture of all maps, RGB: a row for each image, with what it was taken for, then a column for each model, method,
        target and layer that there is, under titles that tell them apart; warnings below the maps, caveats once at the end.
        Of one image, or of few with many maps, columns are the methods alone (or the models), and the image has a row for each
        target; so it is where a column would be empty in most rows.

        columns: "model", "method", "target", "layer", or several of them: what columns stand for; rows then differ in the
        rest.  width: pixels of a column; rows: at most so many are drawn (and so many that the picture has no more than
        forty million pixels), and what is left out is said.  picture, look: as in `Heatmap.drawn`: alpha=0.4,
        colours="viridis", scale=maps.scale(), window=(-100, 400).
        Maps of several calls make one grid where they are added: (grad_cam(a, photos) + grad_cam(b, photos)).grid().
        Raises BadParameter where there are no maps, NoSuchName for an unknown column.
        """
        if not isinstance(width, int) or not isinstance(rows, int) or not 32 <= width <= 2000 or rows < 1:
            raise BadParameter(f"width={width!r}, rows={rows!r}: a column is 32 to 2000 pixels wide, and there is a row.")
        from .sheet_picture import drawn_sheet  # here, for importing what draws sheets takes a while

        records, count = self._rows(columns, width, rows, "png", picture, look)
        return drawn_sheet(records, width, rows, look.get("scale"), count)

    def _repr_html_(self) -> str:
        """The first maps as small pictures, for notebooks; they are drawn when the notebook asks."""
        from .sheet_html import fragment  # here, with the next, as above
        from .sheet_rows import grouped

        maps = list[Heatmap]()
        for group in grouped(self.maps):
            if maps and len(maps) + len(group.maps) > NOTEBOOK:
                break
            maps += [*group.maps.values()][:NOTEBOOK]
        few = Heatmaps(tuple(maps), self.failed[:NOTEBOOK])
        rows = few._rows(None, NOTEBOOK_WIDTH, NOTEBOOK, "jpeg", "overlay", {})[0] if few.maps or few.failed else []
        return fragment(rows, len(self.maps) - len(maps), len(self.failed) - len(few.failed))

    def _rows(
        self, columns: Any, side: int, most: int, kind: str, picture: str, look: dict[str, Any]
    ) -> "tuple[list[SheetRow], int]":
        """At most so many rows of the sheet, and how many there are."""
        from .sheet import SheetRow  # here, with the next, as above
        from .sheet_rows import grouped, row_of

        groups = grouped(self.maps, columns)
        rows = [
            (group.place, replace(row_of(group.image, group.maps, side, kind, picture, look), facts=group.facts))
            for group in groups[:most]
        ]
        for place, name, error in self.failed:
            at = next((i for i, (other, _) in enumerate(rows) if other > place), len(rows))
            rows.insert(at, (place, SheetRow(name, failure=words_of(error) or type(error).__name__)))
        if not rows:
            raise BadParameter("There are no maps to draw.")
        return [row for _, row in rows], len(groups) + len(self.failed)

    def __repr__(self) -> str:
        names = printable(", ".join(image.name for image in self.failed), 300)
        left = f"; {len(self.failed)} left out: {names}" if self.failed else ""
        refused = printable(", ".join(dict.fromkeys(part.method or part.target for part in self.refused)), 300)
        left += f"; refused: {refused}" if refused else ""
        return f"Heatmaps({len(self.maps)}: {', '.join(str(m.source) for m in self.maps[:3])}{', ...' * (len(self) > 3)}{left})"
