"""The result: one map over one image, and where it came from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arguments import at_home, known_names
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.inputs import is_clip
from seewhy.images.photo import UnderlayPixels
from seewhy.images.places import Cells, Grid, Where
from seewhy.objects.found import FoundBoxes
from seewhy.pictures.canvas import VIEWS, DrawingOptions, Overlay, full, magnified, views
from seewhy.pictures.legend import Legend, Plate
from seewhy.pictures.render import PICTURES, VALUE, Alpha, unit
from seewhy.truth.evidence import EvidenceShare, evidence_share, object_in

from .finding import above, boxes_of, evidence
from .outlining import Objects, outlined
from .plates import overlaid, pictured
from .regions import Regions
from .saving import Writer, bytes_writer, drawing_text, geotiff_writer, nifti_writer, npy, npz_writer, png, save
from .source import Source
from .stored_source import source_of as source_in

if TYPE_CHECKING:
    from seewhy.remaking.record import Check, EvidenceRecord

REGIONS = ("regions", "boundaries")  # pictures of methods that judge superpixels


@dataclass(frozen=True, eq=False)
class Heatmap:
    """One map over one image.

    values: (h, w) float32, in the method's own units, at the resolution of the layer; of a volume (d, h, w), of a clip
        (t, h, w), of a signal (l,).
    image: what the person gave, in full: a photo, upright, a Volume, a Clip; of a prepared signal the array (c, l); None of
        any other prepared array.
    box: the part of a photo that the network saw, in its pixels; else the Grid of what the network saw in what was given.
    channels: (c, h, w) float32 of a method that reads the pixels: the signed attribution of each colour, which the values
        sum up; else None.
    error: (h, w) float32, the standard error of each value, of a method that samples (inf where it cannot be told); else None.
    regions: the segments that were judged, of LIME and its relatives; else None.
    cells: where the values lie in what the network saw, as its layers place them; None: they share it out evenly.
    """

    values: NDArray[np.float32]
    image: UnderlayPixels = field(repr=False)
    box: Where
    source: Source
    place: int = 0  # of the image among those given
    channels: NDArray[np.float32] | None = field(default=None, repr=False)
    error: NDArray[np.float32] | None = field(default=None, repr=False)
    regions: Regions | None = field(default=None, repr=False)
    cells: Cells | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"<Heatmap {'x'.join(map(str, self.values.shape))}: {self.source}>"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the map is empty or suspect, in words; empty where there is no reason for doubt."""
        return self.source.warnings

    @property
    def size(self) -> tuple[int, ...]:
        """(w, h) of the original photo, in pixels; of a volume (i, j, k), of a clip (t, h, w), of a signal (l,)."""
        return overlay_of(self).size

    def unit(self) -> NDArray[np.float32]:
        """The values stretched to [0, 1], this map alone: (h, w) float32; a flat map becomes zeros."""
        return unit(self.values)

    def full(self) -> NDArray[np.float32]:
        """The values at the original image's size, float32: (H, W) of a photo, (i, j, k) of a volume, on its own grid,
        (t, H, W) of a clip, (l,) of a signal; linear between the centres of cells, zero outside of what the network saw.
        """
        return full(overlay_of(self))

    def evidence_in(self, boxes: Any = None, mask: Any = None) -> EvidenceShare:
        """How much of the map's positive evidence lies on an object, beside how much of what the network saw the object takes.

        boxes: (x0, y0, x1, y1) in pixels of the upright photo, or a list of these, which count together; mask: an array of the
        image's size as in `full`, true or not zero on the object.  What counts is the sum of the positive values of `full`
        over what the network saw; of mean scores (RISE), which all lie far from zero, how far they lie above the least.
        Raises BadParameter where boxes or mask do not fit the image, NotApplicable where it takes no boxes.
        """
        values = self.full()
        flat = not isinstance(self.box, Grid) or is_clip(self.image)
        marked = object_in(boxes, mask, values.shape, flat)
        return evidence_share(evidence(values, self.values, self.source), self.box, marked)

    def boxes(
        self, threshold: float | None = None, of: str = "max", components: str = "largest", connectivity: int = 8,
        least: float | None = None, preset: str | None = None, refine: Any = None,
    ) -> FoundBoxes:  # fmt: skip
        """The boxes around the map's strong regions on the original image's grid: in pixels, of a volume in voxels and mm.

        threshold: a share of the map's greatest value (of="max": 0.15 by default), or the share of its values that lie below
            (of="quantile": 0.85); of="otsu" finds its own.  preset: "grad-cam" (15 % of the maximum) or "cam" (20 %).
        components: the "largest" region, or "all" of at least `least`: a share of what the network saw (0.001), or pixels.
        connectivity: 8, pixels also hang together at their corners; or 4.
        refine: brings the regions to the image's edges: True (guided), or one of guided, crf, superpixels, random-walker and
            grabcut, or (name, {setting: value}); docs/refinement.md says what each gains.
        Where there is no box, as of a map that is empty or flat, the result's `why` says why.  On a GeoTIFF boxes also tell
        their corners in the scene's reference system (`corners_map`, `crs`).
        """
        return boxes_of(overlay_of(self), self.source, threshold, of, components, connectivity, least, preset, refine)

    def mask(self, threshold: float | None = None, of: str = "max", components: str = "all", **how: Any) -> NDArray[np.bool_]:
        """True where the image is object by this map, of the image's size as `full`; it takes the same as `boxes`, and leaves
        out no region by its size.
        """
        if how.keys() <= {"preset"} and components == "all":  # no region has to be told from another
            return above(overlay_of(self), self.source, threshold, of, **how)
        return self.boxes(threshold, of, components, **{"least": 0, **how}).mask

    def outlined(
        self, found: FoundBoxes | None = None, true_boxes: Any = None, true_mask: Any = None, legend: bool = False,
        contours: bool = True, colours: bool = False, magnify: float = 1, **how: Any,
    ) -> Image.Image:  # fmt: skip
        """The photo with the boxes and regions that were found outlined on it, RGB: found ones in colours, true ones in black
        and white stripes.

        found: what `boxes` gave; by default what it gives with `how`, all that it takes: threshold=0.3, components="all".
        true_boxes, true_mask: as `evidence_in` takes boxes and mask; legend: write what was found and how well it fits below.
        contours: draw the edge of each region, too; colours: draw over the map in colour; magnify: as in `overlay`.
        Raises NotApplicable where the map lies on no photo, BadParameter where boxes or mask do not fit it.
        """
        found = self.boxes(**how) if found is None else found
        said = f"{self.source.caption}: {found.how if found else f'no box, for {found.why}'}"
        under = self.overlay(magnify=magnify) if colours else None
        objects = Objects(found.boxes, found.masks, said)
        return outlined(self.image, objects, true_boxes, true_mask, legend, contours, magnify, under)

    @known_names()
    def overlay(
        self,
        alpha: Alpha = VALUE,
        colours: str | None = None,
        legend: bool = False,
        scale: tuple[float, float] | None = None,
        clip: float | None = None,
        view: str | None = None,
        window: tuple[float, float] | None = None,
        count: int | None = None,
        magnify: float = 1,
    ) -> Image.Image:
        """The map in colour over the image, RGB: over a photo at its size, over a volume's slices, a clip's frames, a signal.

        alpha: opacity of the map, from 0 to 1; "value": as the value, from the photo alone at zero to 0.7 at the end of the
            colours (on volumes and clips to 0.5, from half of that on), which the legend's colour bar shows over squares.
        colours: one of `seewhy.COLOURS`, by default inferno, or blue-red (centred on zero) where the map is signed.
        legend: write what it is and what the colours mean below.
        scale: the (low, high) that the colours span, to compare many maps (`Heatmaps.scale()`), else from zero to this map's
            own extreme (RISE's mean scores, which all lie far from zero: from the least to the greatest), or
        clip: to that percentile of absolute values: 99 at the image's pixels, where few stand out, else 100.
        view: of a volume, one of panel, axial, coronal, sagittal, projection, curve; window: its values shown as black and
        white, by default those of `prepare`, else its 1st and 99th percentile; count: of slices or frames.
        magnify: draw so many times as many pixels as the photo has, as for a paper: the photo is resized, the map drawn anew on
        the finer grid, and letters grow with them.
        """
        return self._overlaid(DrawingOptions(alpha, colours, legend, scale, clip, view, window, count), magnify).drawn(legend)

    def _overlaid(self, options: DrawingOptions, magnify: float = 1) -> Plate:
        return overlaid(overlay_of(self), self.source, options, magnify, 100 if self.channels is None else 99)

    def picture(self, kind: str = "colour", clip: float | None = None, legend: bool = False, magnify: float = 1) -> Image.Image:
        """The attribution of every pixel as the papers show it, RGB at the size that the network saw; or, by `magnify`, so many
        times larger, each pixel a square.

        kind: "colour" (signed, zero in the middle grey; of values of one sign alone, zero is black or white), "grey"
            (absolute sum over channels), "positive" or "negative" saliency (in colour), or "signed" (sum over channels, white
            at zero).
        clip: colours end at that percentile of absolute values, 99 by default, on both sides of zero: the legend says so.
            At 100 nothing is clipped, and colour runs from the least value to the greatest (min-max).
        Raises NotApplicable where the method does not read the pixels.
        """
        return self._pictured(kind, clip, magnify).drawn(legend)

    def _pictured(self, kind: str, clip: float | None = None, magnify: float = 1) -> Plate:
        return pictured(self.channels, self.source, kind, clip, magnify)

    def top_regions(
        self, n: int = 5, positive: bool | None = True, hide_rest: bool = False, least: float = 0.0, magnify: float = 1
    ) -> Image.Image:
        """The part of the image that the network saw, with the n heaviest superpixels outlined, as LIME's users know it.

        positive: those for the target (True), against it (False), or both, tinted green and red (None); hide_rest: cover
        the others in grey; least: only weights beyond it.  The mask itself: `regions.top(n, positive, least)`.
        Raises NotApplicable where the method judged no regions.
        """
        return self._regions.draw(self._network_crop(magnify), n, positive, hide_rest, least=least)

    def boundaries(self, colour: Any = (255, 255, 0), magnify: float = 1) -> Image.Image:
        """The part of the image that the network saw, with the lines between all superpixels, of a name or (r, g, b)."""
        return self._regions.boundaries(self._network_crop(magnify), colour)

    @property
    def _regions(self) -> Regions:
        if self.regions is None:
            raise NotApplicable(f"{self.source.method} judged no regions. lime, kernel-shap and sobol do; use overlay().")
        return self.regions

    def _network_crop(self, magnify: float) -> Image.Image | None:
        shown = magnified(overlay_of(self), magnify)
        return shown.box.cut(shown.image) if isinstance(shown.image, Image.Image) else None

    @property
    def _error_known(self) -> bool:
        return self.error is not None and bool(np.isfinite(self.error).any())

    def _of_error(self) -> "Heatmap":
        """The standard error as a map of its own; where it is infinite, the largest that is not."""
        if self.error is None or not self._error_known:
            raise NotApplicable(f"{self.source.method} tells no standard error here: see Heatmap.error and the warnings.")
        known = np.where(np.isfinite(self.error), self.error, self.error[np.isfinite(self.error)].max())
        source = replace(self.source, method=f"standard error of {self.source.method}", measured={})
        return replace(self, values=known, source=source, channels=None)

    @property
    def pictures(self) -> tuple[str, ...]:
        """What `save(picture=)` can draw of this map."""
        pixels = PICTURES if self.channels is not None and self.channels.ndim == 3 else ()
        regions = REGIONS if self.regions and self.regions.segments.ndim == 2 else ()
        return ("overlay", *views(overlay_of(self)), *pixels, *regions, *(("error",) if self._error_known else ()))

    def record(self, checks: "Iterable[Check]" = ()) -> "EvidenceRecord":
        """What an auditor keeps: hashes of photo, weights, code and map, every setting, the scores, and these checks on the map
        (docs/record.md).  Raises BadImage where the photo's file was changed since it was explained.
        """
        from seewhy.remaking.record import record_of_map  # here, for it stands on methods and models, and these on the map

        return record_of_map(self, checks)

    def save(self, path: str | Path, picture: str = "overlay", **look: Any) -> Path:
        """Write the map: .png (the overlay, or another of its `pictures`, carrying its Source), .svg and .pdf (the same, text
        as text, for papers; .pdf takes `pip install 'seewhy[pdf]'`), .npz (values, channels,
        error, regions, cells, box, Source), .npy (values alone); of a volume .nii or .nii.gz: the map on the grid of the
        file that was given, with its affine, zooms, units and orientation, so that any viewer lays it over that; of a
        GeoTIFF .tif (`maps.geotiff.save_geotiff`).
        """
        write(self, Path(path), picture, look)
        return Path(path)

    @staticmethod
    def source_of(path: str | Path) -> Source:
        """The Source that a saved .png, .svg, .pdf, .npz, NIfTI or GeoTIFF file carries."""
        return source_in(Path(path))

    def drawn(self, picture: str = "overlay", **look: Any) -> Image.Image:
        """One of the `pictures`, with what it takes."""
        draw = self._drawing(picture)
        if picture in REGIONS and (stray := {*look} - {*signature(draw).parameters}):
            raise BadParameter(
                f"The picture {picture!r} takes {', '.join(signature(draw).parameters)}, not {', '.join(stray)}."
            )
        return draw(**look)

    def _drawing(self, picture: str) -> Callable[..., Image.Image]:
        """What draws one of the `pictures`."""
        if picture == "overlay":
            return self.overlay
        if picture in VIEWS:
            return partial(self.overlay, view=picture)
        if picture == "error":
            return self._of_error().overlay
        if picture in REGIONS:
            return self.boundaries if picture == "boundaries" else self.top_regions
        return partial(self.picture, picture)

    def apart(self, picture: str = "overlay", legend: bool = False, **look: Any) -> tuple[Image.Image, Legend | None]:
        """One of the `pictures` and, where it is asked for, its legend, for files in which text stays text."""
        if picture in REGIONS:
            return self.drawn(picture, **look), None
        if picture in PICTURES:
            plate = self._pictured(picture, **look)
        else:
            shown, magnify = self._of_error() if picture == "error" else self, look.pop("magnify", 1)
            look |= {"view": picture} if picture in VIEWS else {}
            plate = shown._overlaid(DrawingOptions(**look), magnify)
        drawn = plate.draw(None)
        return drawn, plate.legend(drawn.width) if legend else None

    def _repr_png_(self) -> bytes:
        return self._png("overlay", legend=True)

    def _png(self, picture: str, **look: Any) -> bytes:
        """One of the `pictures` as a PNG file that carries the Source, and how it was drawn."""
        return png(self.drawn(picture, **look), self.source, drawing_text(picture, look, self._drawing(picture)))


at_home([*signature(Heatmap.overlay).parameters][1:], "heatmap.save(path, {})")


def overlay_of(heatmap: Heatmap) -> Overlay:
    return Overlay(heatmap.values, heatmap.image, heatmap.box, heatmap.cells)


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
