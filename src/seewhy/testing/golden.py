"""Maps kept as files beside the tests of a model, and maps compared with them.

A golden file is the .npz that `Heatmap.save` writes (values, box, cells, Source), with a small copy of the photo, by which
another photo under the same name is noticed.  `Heatmap.source_of` reads its Source.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.atomic import replacing
from seewhy.comparison.common_grid import map_drift
from seewhy.comparison.picture import drift_picture, save_picture
from seewhy.comparison.records import PhotoDrift, check_bounds
from seewhy.errors import BadImage, BadParameter
from seewhy.images.inputs import is_clip
from seewhy.images.places import Cells, Grid
from seewhy.images.sight import Sight
from seewhy.images.volume import Volume
from seewhy.maps.heatmap import Heatmap, overlay_of
from seewhy.maps.saving import npz_writer
from seewhy.maps.source import Source
from seewhy.maps.stored_source import source_of
from seewhy.printable import printable, quoted

QUESTION = ("method", "params", "layer", "target", "place", "scores", "tile")  # facts of a Source that make it another question
MOST = 2**28  # bytes of the arrays in a golden file
OF_THIS_MACHINE: dict[str, Any] = {"seconds": None, "recipe": {}, "conditions": {}, "host": {}}  # as a golden Source has them
SMALL = 16  # pixels a side of the copy of the photo
LEVELS = 3.0  # of 255, by which the mean of that copy's values may differ: decoders of JPEG differ by less
NEAR = 0.5  # pixels by which the part of the photo that the network sees may differ
SAME = 1e-6  # of the largest value: a map that differs by less is not written again


class Golden(NamedTuple):
    """What a golden file holds."""

    values: NDArray[np.float32]
    box: NDArray[np.float64]
    cells: Cells | None
    source: Source
    size: tuple[int, ...]  # of the photo
    photo: Floats | None  # the small copy


def assert_explanation_golden(
    heatmap: Heatmap,
    path: str | Path,
    min_spearman: float | None = 0.95,
    max_energy_shift: float | None = 0.1,
    max_centre_shift: float | None = None,
    update: bool = False,
    picture: str | Path | None = None,
    command: str = "assert_explanation_golden(..., update=True)",
) -> None:
    """Raise AssertionError where a map is not that of its golden file (.npz), or where there is no such file.

    Of the map, what it says is compared: the rank correlation, the share of the evidence that lies elsewhere, and how far its
    centre moved, in pixels of the photo (`seewhy.drift` says what these mean); a bound of None is none.  Model and weights may
    be others, but not the question: method, parameters, layer, target, the class explained, the part of the photo that is seen
    and the photo itself have to be those of the file.
    update: write the file, where there is none or the map is another; nothing is compared then.
    picture: a .png to write where the map is not that of the file: golden beside now.  command: how to update, for the error.
    Raises BadImage where the file is no golden file, NotWritten where it cannot be written.
    """
    __tracebackhide__ = True  # pytest shows the line of the test, not this one
    check_bounds(min_spearman, max_energy_shift, max_centre_shift)
    path = _checked(path)
    if update:
        write_golden(heatmap, path)
        return
    if not path.is_file():
        seen = f" It is drawn in {_drawn(heatmap, picture)}." if picture else ""
        raise AssertionError(f"There is no golden map {path}.{seen} If the map is right, keep it: {command}")
    golden = read_golden(path)
    advice = f"If that is meant, keep the new map: {command}"
    if other := _other_question(golden, heatmap):
        raise AssertionError("\n".join([f"{path} is the golden map of another question:", *(f"  {o}" for o in other), advice]))
    record = _record(golden, heatmap)
    if broken := record.breaches(min_spearman, max_energy_shift, False, max_centre_shift):
        lines = [f"The map of {printable(heatmap.source.image, 300)} is not the golden one of {path}:"]
        lines += [f"  {line}" for line in broken]
        lines += [f"  in all: {record.words}", *(f"  note: {note}" for note in record.notes)]
        if picture:
            drawn = drift_picture(record.a, record.b, record.words, ("golden", "now"))
            lines.append(f"Both are drawn in {save_picture(Path(picture), drawn, record.a.source, record.b.source, True)}")
        raise AssertionError("\n".join([*lines, advice]))


def write_golden(heatmap: Heatmap, path: Path) -> bool:
    """Write the golden file of a map, whole or not at all, if there is none that says the same; was it written?

    The Source in it has the photo's name without its folder, and nothing else that differs between machines.
    """
    if path.is_file():
        try:
            golden = read_golden(path)
            if not _other_question(golden, heatmap) and _equal(golden.values, heatmap.values):
                return False
        except BadImage:
            pass  # what it is replaced for
    source = replace(heatmap.source, image=_bare(heatmap.source.image), **OF_THIS_MACHINE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, of=f"the golden map of {heatmap.source.image}") as beside:
        npz_writer(overlay_of(heatmap), source, None, None, None)(beside)
        photo = _small_copy(heatmap.image)
        with ZipFile(beside, "a") as archive:
            for name, array in (("size", np.array(heatmap.size)), ("photo", photo)):
                if array is not None:
                    content = io.BytesIO()
                    np.save(content, array)
                    archive.writestr(f"{name}.npy", content.getvalue())
    return True


def read_golden(path: Path) -> Golden:
    """What a golden file holds.  Raises BadImage where it is none."""
    source = source_of(path)
    try:
        with ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST:
                raise BadImage(f"{path} is no golden map: its arrays are of more than {MOST:,} bytes.")
        with np.load(path, allow_pickle=False) as arrays:
            values, box, size = arrays["values"], arrays["box"], arrays["size"]
            cells, photo = (arrays.get(name) for name in ("cells", "photo"))
            return Golden(values, np.asarray(box, float), _cells(cells), source, tuple(map(int, size)), photo)
    except KeyError as error:
        raise BadImage(
            f"{path} is no golden map: it lacks {error}. Heatmap.save does not write them, write_golden does."
        ) from None
    except (ValueError, OSError, BadZipFile) as error:
        raise BadImage(f"{path} cannot be read as a golden map: {printable(error, 300)}") from None


class GoldenMaps:
    """What the fixture `golden_maps` gives: call it with maps and a name to compare them with the files of that name.

    folder: where the files lie; update: write them in place of comparing; pictures: the folder for pictures of what is
    not as it was; command: how to update, for errors; wrote: told of each file that was written.
    """

    def __init__(
        self, folder: Path, update: bool, pictures: Path, command: str, wrote: Callable[[Path], None] = lambda _path: None
    ) -> None:
        self.folder, self.update, self.pictures, self.command, self.wrote = folder, update, pictures, command, wrote
        self.named: set[str] = set()

    def __call__(
        self,
        maps: Heatmap | Sequence[Heatmap],
        name: str,
        min_spearman: float | None = 0.95,
        max_energy_shift: float | None = 0.1,
        max_centre_shift: float | None = None,
    ) -> None:
        """Compare maps with golden files as `assert_explanation_golden` does: one map with NAME.npz, several with NAME.1.npz,
        NAME.2.npz and so on, of which there may not be more than maps.
        """
        __tracebackhide__ = True  # pytest shows the line of the test, not this one
        if not re.fullmatch(r"\w[\w-]*", name) or name.lower() in self.named:
            why = "stands twice in this test" if name.lower() in self.named else "is no name of letters, digits, - and _"
            raise BadParameter(f"{quoted(name)} {why}; each golden map has a name of its own.")
        self.named.add(name.lower())
        several = [maps] if isinstance(maps, Heatmap) else list(maps)
        if not several:
            raise AssertionError(f"There are no maps to compare with the golden {name}.")
        single = isinstance(maps, Heatmap) or len(several) == 1
        names = [name] if single else [f"{name}.{place}" for place in range(1, len(several) + 1)]
        stale = self.folder / f"{name}.{1 if single else len(several) + 1}.npz"
        if stale.is_file():
            raise AssertionError(f"{stale} is of no map: there are {len(several)}. If that is meant, remove the file.")
        for heatmap, each in zip(several, names, strict=True):
            path = self.folder / f"{each}.npz"
            if self.update:
                if write_golden(heatmap, path):
                    self.wrote(path)
                continue
            picture = self.pictures / f"{each}.png"
            assert_explanation_golden(
                heatmap, path, min_spearman, max_energy_shift, max_centre_shift, False, picture, self.command
            )


def _checked(path: str | Path) -> Path:
    if Path(path).suffix.lower() != ".npz":
        raise BadParameter(f"A golden map is an .npz file, not {quoted(str(path))}.")
    return Path(path)


def _drawn(heatmap: Heatmap, picture: str | Path) -> Path:
    return heatmap.save(picture, legend=True)


def _equal(a: Floats, b: Floats) -> bool:
    return a.shape == b.shape and bool(np.abs(a - b).max() <= SAME * np.abs(b).max())


def _bare(name: str) -> str:
    """The name of a photo without its folder, whatever system wrote it."""
    return re.split(r"[/\\]", name)[-1] or name


def _record(golden: Golden, heatmap: Heatmap) -> PhotoDrift:
    """How far the map lies from the golden one, which is of the same part of the same photo."""
    source, now = golden.source, heatmap.source
    old = replace(heatmap, values=golden.values, cells=golden.cells, source=source)
    same = None if source.predicted is None or now.predicted is None else source.predicted.index == now.predicted.index
    moved = map_drift(old, heatmap)
    return PhotoDrift(now.image, heatmap.place, old, heatmap, source.predicted, now.predicted, same, None, **moved._asdict())


def _other_question(golden: Golden, heatmap: Heatmap) -> list[str]:
    """What tells the golden map's question from that of this map, in words; empty where it is the same."""
    old, now = golden.source, Source.from_json(heatmap.source.to_json())  # as it is stored
    odd = [
        f"{name}: {quoted(getattr(old, name))}, now {quoted(getattr(now, name))}"
        for name in QUESTION
        if getattr(old, name) != getattr(now, name)
    ]
    if old.index != now.index:
        words = [f"{printable(s.label, 100)} ({s.index})" if s.label else str(s.index) for s in (old, now)]
        odd.append(f"the class explained: {words[0]}, now {words[1]}")
    photo = _small_copy(heatmap.image)
    if golden.size != heatmap.size or not _alike(golden.photo, photo):
        odd.append(f"the photo: another one than {quoted(old.image)} of {'x'.join(map(str, golden.size))} pixels")
    place = heatmap.box.matrix if isinstance(heatmap.box, Grid) else np.array(heatmap.box, float)
    if golden.box.shape != place.shape or np.abs(golden.box - place).max() > NEAR:
        odd.append(
            f"the part of the photo that the network sees: {golden.box.round(1).tolist()}, now {place.round(1).tolist()}"
        )
    if golden.values.ndim != heatmap.values.ndim:
        odd.append(f"the map: {golden.values.ndim} axes, now {heatmap.values.ndim}")
    return odd


def _small_copy(image: Any) -> Floats | None:
    """A few numbers by which an image is known; None of a prepared array, of which nothing is kept."""
    if is_clip(image):
        image = image.frames[0]
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB").resize((SMALL, SMALL), Image.Resampling.BOX))
    values = image.values if isinstance(image, Volume) else image
    if values is None:
        return None
    some = np.ix_(*(np.unique(np.linspace(0, side - 1, SMALL).round().astype(int)) for side in values.shape))
    return np.asarray(values[some], np.float32)


def _alike(a: Floats | None, b: Floats | None) -> bool:
    if a is None or b is None:
        return a is b
    if a.shape != b.shape:
        return False
    reach = 255.0 if a.dtype == np.uint8 else float(np.ptp(a)) or 1.0
    return bool(np.abs(a.astype(float) - b.astype(float)).mean() <= LEVELS / 255 * reach)


def _cells(stored: NDArray[Any] | None) -> Cells | None:
    """The cells as `npz_writer` stores them: rows of first, stride and size, then of spreads and reaches."""
    if stored is None:
        return None
    first, stride, size, *sights = (tuple(map(float, row)) for row in stored)
    return Cells(first, stride, tuple(map(int, size)), tuple(Sight(*sight) for sight in zip(*sights, strict=True)))
