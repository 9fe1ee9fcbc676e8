"""What the command line writes of each map, and what it says of it.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seewhy.printable import in_percent

from .printing import LABEL, printable, say, say_json
from .truth import FoundEvidence, KnownPhoto
from .wording import spoken

if TYPE_CHECKING:
    from seewhy.maps.heatmap import Heatmap
    from seewhy.maps.sheet import SheetRow
    from seewhy.remaking.checks import Check
    from seewhy.remaking.record import EvidenceRecord

    from .folder import FolderWriter

NUMBERS, RECORD = ".npz", ".record.json"
VIEWS = ("panel", "axial", "coronal", "sagittal", "projection", "curve")  # of volumes: canvas.VIEWS


class Outputs(NamedTuple):
    """What is written of each map."""

    pictures: tuple[str, ...]
    views: tuple[str, ...]  # the overlay of a volume
    overlay: dict[str, Any]
    window: tuple[float, float] | None
    legend: bool
    values: bool
    magnify: float = 1  # times as many pixels on each side of a picture as the photo has
    form: str = "png"  # of the pictures: one of folder.DRAWN
    record: bool = False  # write an evidence record, and put it into PNGs
    key: str | None = None  # the file of the private key that signs it

    def writers(self, heatmap: "Heatmap", checks: "Iterable[Check]" = ()) -> "dict[str, FolderWriter]":
        """What writes each of its files, by their endings; pictures first, the numbers last.  checks: for its record."""
        from seewhy.images.volume import Volume
        from seewhy.maps.geotiff import lies

        volume, overlay = isinstance(heatmap.image, Volume), self.look(heatmap)
        kinds = [kind for kind in dict.fromkeys(self.pictures) if kind in heatmap.pictures] or ["overlay"]
        kinds = [view for kind in kinds for view in (self.views if volume and kind == "overlay" else [kind])]
        writers: dict[str, FolderWriter] = {}
        for kind in kinds:
            look = {} if kind in ("regions", "boundaries") else {"legend": self.legend}
            look |= {} if self.magnify == 1 else {"magnify": self.magnify}
            how = {**look, **(overlay if kind in ("overlay", *VIEWS) else {})}
            writers[f"{'' if kind in ('overlay', 'panel') else '.' + kind}.{self.form}"] = writer(heatmap, kind, **how)
        if volume:
            writers[".nii.gz"] = writer(heatmap)
        elif lies(heatmap):
            writers[".tif"] = writer(heatmap)
        if self.record:
            writers = recording(heatmap, writers, checks, self.key)
        if self.values:
            writers[NUMBERS] = writer(heatmap)
        return writers

    def look(self, heatmap: "Heatmap") -> dict[str, Any]:
        """How its overlay is drawn, but for the legend."""
        from seewhy.images.volume import Volume

        return {**self.overlay, **({"window": self.window} if isinstance(heatmap.image, Volume) else {})}


def writer(heatmap: "Heatmap", picture: str = "overlay", **look: Any) -> "FolderWriter":
    """What writes a map into a file of the format that its name says."""

    def write(path: Path, over: bool) -> None:
        from seewhy.maps.heatmap import write as write_map

        write_map(heatmap, path, picture, look, over)

    return write


def recording(
    heatmap: "Heatmap", writers: "dict[str, FolderWriter]", checks: "Iterable[Check]", key: str | None
) -> "dict[str, FolderWriter]":
    """The writers of a map, of which those of PNGs put its evidence record into the file; and one of the record, the last.

    checks: what the record has of them.  key: the file of the private key that signs it.
    """
    from functools import cache

    @cache
    def made() -> "EvidenceRecord":
        record = heatmap.record(checks)
        return record.sign(key) if key else record

    def carrying(write: "FolderWriter") -> "FolderWriter":
        def both(path: Path, over: bool) -> None:
            record = made()  # before anything is written, for it may be refused
            write(path, over)
            record.save(path)

        return both

    def alone(path: Path, over: bool) -> None:
        record = made()
        record.save(path, over)

    carried = {ending: carrying(write) if ending.endswith(".png") else write for ending, write in writers.items()}
    return {**carried, RECORD: alone}


class PhotoResult(NamedTuple):
    """What came of one photo."""

    name: str
    predicted: Any
    written: "list[tuple[Heatmap, list[Path]]]"  # each map and its files, but for the numbers
    chosen_layers: dict[str, str]  # why each layer was explained that nobody named
    known: KnownPhoto = KnownPhoto()
    evidence: Sequence[list[FoundEvidence]] = ()  # of each map; empty where nobody asked
    checks: "Sequence[Check | None]" = ()  # the same
    row: "SheetRow | None" = None  # of the sheet


def print_text(result: PhotoResult) -> None:
    """Say in words what the model predicted of a photo, and of each map what it explains and where it lies."""
    from seewhy.maps.source import layer_words

    written = result.written
    say(f"{result.name}: {answer_words(result.predicted, result.known, written[0][0].source.weights)}")
    width = max(len(heatmap.source.method) for heatmap, _ in written)
    for number, (heatmap, paths) in enumerate(written):
        source = heatmap.source
        score = "" if source.score is None else f"  {source.scores.removesuffix('s')} {source.score:.2f}"
        chance = "" if source.probability is None else f", {in_percent(source.probability)}"
        plain = source.label is None or source.target.startswith("unit:")
        what = source.target if plain else f"{source.target}: {printable(source.label, LABEL)}"
        what = printable(source.label, LABEL) if source.classes else what
        files = ", ".join(map(str, [paths[0], *(path.name for path in paths[1:])]))
        say(f"  {source.method:<{width}}  {what}{score}{chance}  at {layer_words(source.layer)}  -> {files}")
        if source.measured:
            say("    " + ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in source.measured.items()))
        for each in result.evidence[number] if result.evidence else ():
            say(f"    {each}" if each.share is not None else f"    ! {each}")
        if result.checks and (check := result.checks[number]) is not None:
            say(f"    check {check}")
        for warning in source.warnings:
            say(f"    ! {spoken(warning)}")


def answer_words(predicted: Any, known: KnownPhoto, weights: str | None) -> str:
    """What the model took a photo for, whether that is right where it is known, and that random weights give no answer."""
    from seewhy.untrained import untrained

    said = "no classes"
    if predicted is not None:
        said = f"{printable(predicted.label, LABEL)} ({predicted.index})" if predicted.label else f"class {predicted.index}"
        said += f", {in_percent(predicted.probability)}"
    random = untrained(weights)
    return f"{'WRONG: ' * known.wrong}{said}{known.words}" + (f" (by {random}: no answer)" if random else "")


def print_json(result: PhotoResult) -> None:
    """Say each map of a photo as one JSON object."""
    for number, (heatmap, paths) in enumerate(result.written):
        facts = heatmap.source.facts
        facts["predicted"] = asdict(result.predicted) if result.predicted else None
        files = [str(path) for path in paths]
        if result.evidence:
            facts["evidence"] = [each.facts for each in result.evidence[number]]
        if result.checks:
            facts["checks"] = [check.facts] if (check := result.checks[number]) is not None else []
        say_json({"file": files[0], "files": files, "box": place(heatmap.box), **facts, **result.known.facts})


def place(box: Any) -> Any:
    """Of a photo the edges; else how the axes of what the network saw run along those of what was given."""
    from seewhy.images.places import Extent

    return list(box) if isinstance(box, Extent) else box._asdict()
