"""What the command line writes, under which name, and what it says of it."""

from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .saying import LABEL, printable, say, say_json

if TYPE_CHECKING:
    from ..heatmap import Heatmap

LONGEST = 100  # bytes of a target in the name of a file
VIEWS = ("panel", "axial", "coronal", "sagittal", "projection", "curve")  # of volumes: canvas.VIEWS


class Drawing(NamedTuple):
    """What is written of each map, and where."""

    out: Path
    pictures: tuple[str, ...]
    views: tuple[str, ...]  # the overlay of a volume
    overlay: dict[str, Any]
    window: tuple[float, float] | None
    legend: bool
    values: bool

    def save(self, heatmap: "Heatmap", name: str) -> list[Path]:
        """The files, pictures first."""
        from ..geo import lies
        from ..volume import Volume

        volume = isinstance(heatmap.image, Volume)
        kinds = [kind for kind in dict.fromkeys(self.pictures) if kind in heatmap.pictures] or ["overlay"]
        kinds = [view for kind in kinds for view in (self.views if volume and kind == "overlay" else [kind])]
        paths = {kind: self.out / f"{name}{'' if kind in ('overlay', 'panel') else '.' + kind}.png" for kind in kinds}
        for kind, path in paths.items():
            look = {} if kind in ("regions", "boundaries") else {"legend": self.legend}
            own = {**self.overlay, **({"window": self.window} if volume else {})}
            heatmap.save(path, picture=kind, **look, **(own if kind in ("overlay", *VIEWS) else {}))
        if volume:
            paths["map"] = heatmap.save(self.out / f"{name}.nii.gz")
        elif lies(heatmap):
            paths["map"] = heatmap.save(self.out / f"{name}.tif")
        if self.values:
            heatmap.save(self.out / f"{name}.npz")
        return [*paths.values()]


def stem(heatmap: "Heatmap") -> str:
    source = heatmap.source
    target, label = source.target, source.label or ""
    told = label in ("", target) or f":{label}:" in target or target.startswith("unit:")
    what = target if told else f"{target} {label.split(',')[0]}"
    parts = [called(Path(source.image)), what, source.layer, source.method, *changed(source)]
    words = ["-".join("".join(c if c.isalnum() or c in "_-#" else " " for c in part).split()) for part in parts]
    return ".".join([words[0], bounded(words[1], what), *words[2:]])


def bounded(words: str, of: str) -> str:
    """The words, as short as a file's name has to be, and still apart from those of another target."""
    if len(words.encode()) <= LONGEST:
        return words
    return f"{words.encode()[: LONGEST - 9].decode(errors='ignore')}-{sha256(of.encode()).hexdigest()[:8]}"


def called(file: Path) -> str:
    """A file or folder without what its name ends in: scan of scan.nii.gz."""
    file = file if file.name else file.resolve()
    return file.name[: -len(".nii.gz")] if file.name.lower().endswith(".nii.gz") else file.stem


def changed(source: Any) -> list[str]:
    """The parameters that are not as by default, so that another run of the method gets another file."""
    from ..method import lookup

    usual = lookup(source.method).described
    said = " ".join(f"{key} {value}" for key, value in source.params.items() if value != usual.get(key))
    return [said[:60]] if said else []


def unique(name: str, taken: set[str]) -> str:
    candidate, i = name, 2
    while candidate.lower() in taken:
        candidate, i = f"{name}-{i}", i + 1
    taken.add(candidate.lower())
    return candidate


def print_text(name: str, predicted: Any, written: list[Any]) -> None:
    said = "no classes"
    if predicted is not None:
        said = f"{printable(predicted.label, LABEL)} ({predicted.index})" if predicted.label else f"class {predicted.index}"
        said += f", {predicted.probability:.1%}"
    say(f"{name}: {said}")
    width = max(len(heatmap.source.method) for heatmap, _ in written)
    for heatmap, paths in written:
        source = heatmap.source
        score = "" if source.score is None else f"  {source.scores.removesuffix('s')} {source.score:.2f}"
        chance = "" if source.probability is None else f", {source.probability:.1%}"
        plain = source.label is None or source.target.startswith("unit:")
        what = source.target if plain else f"{source.target}: {printable(source.label, LABEL)}"
        files = ", ".join(map(str, [paths[0], *(path.name for path in paths[1:])]))
        say(f"  {source.method:<{width}}  {what}{score}{chance}  at {source.layer}  -> {files}")
        if source.measured:
            say("    " + ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in source.measured.items()))
        for warning in source.warnings:
            say(f"    ! {warning}")


def print_json(name: str, predicted: Any, written: list[Any]) -> None:
    for heatmap, paths in written:
        facts = heatmap.source.facts
        facts["predicted"] = asdict(predicted) if predicted else None
        files = [str(path) for path in paths]
        say_json({"file": files[0], "files": files, "box": place(heatmap.box), **facts})


def place(box: Any) -> Any:
    """Of a photo the edges; else how the axes of what the network saw run along those of what was given."""
    from ..image import Extent

    return list(box) if isinstance(box, Extent) else box._asdict()
