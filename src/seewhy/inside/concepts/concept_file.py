"""Concepts as a file: numbers and pictures as the arrays of an .npz, all else as JSON in it; nothing in it can run."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seewhy.archives import DAMAGED
from seewhy.atomic import replacing
from seewhy.errors import BadParameter
from seewhy.images.places import Cells
from seewhy.images.sight import Sight
from seewhy.json_text import as_json, json_of, with_bytes
from seewhy.maps.source import ModelFacts, Predicted, made_from, stored
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import printable

from .crops import CropPlace
from .findings import ConceptFindings, ConceptPhoto, FoundSettings, TypicalCrop
from .importance import ConceptImportance

FORM = 1  # of the file
ARRAYS = [each.name for each in fields(ConceptImportance) if each.name not in ("target", "words")]


def save_concepts(found: ConceptFindings, path: Path, draw: Callable[[], Image.Image]) -> None:
    """Write them: .npz, or .png of their picture, which `draw` draws.  Raises BadParameter for another suffix, NotWritten."""
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".png"):
        raise BadParameter(f"{path.name}: concepts are saved as .npz, their picture as .png.")
    arrays = {} if suffix == ".png" else _arrays(found)
    picture = draw() if suffix == ".png" else None
    with replacing(path, of="the concepts") as beside, beside.open("wb") as file:
        if picture is not None:
            picture.save(file, "PNG")
        else:
            np.savez_compressed(file, **arrays)


def load_findings(path: Path) -> dict[str, Any]:
    """The fields of what `save_concepts` wrote as .npz.  Raises BadParameter where it is not that."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return _fields({name: file[name] for name in file.files})
    except OSError as error:
        raise BadParameter(f"{printable(path)} cannot be read: {error.strerror or 'it is no .npz file'}.") from None
    except (*DAMAGED, TypeError, IndexError, AttributeError) as error:
        raise BadParameter(
            f"{printable(path)} holds no concepts as `Concepts.save` writes them: {printable(error, 200)}."
        ) from None


def _arrays(found: ConceptFindings) -> dict[str, Any]:
    facts = {
        "form": FORM,
        "model": asdict(found.model),
        "layer": found.layer,
        "settings": asdict(found.settings),
        "error": found.error,
        "negative": found.negative,
        "failed": found.failed,
        "notes": found.notes,
        "names": [[index, name] for index, name in found.names.items()],
        "typical": [[[crop.photo, crop.place.first, crop.place.side, crop.amount] for crop in row] for row in found.typical],
        "importances": [[each.target, each.words] for each in found.importances],
        "photos": [
            {
                "number": photo.number,
                "name": photo.name,
                "predicted": photo.predicted and asdict(photo.predicted),
                "view": photo.view and [photo.view.kind, photo.view.size],
                "space": photo.space,
                "cells": photo.cells and [*photo.cells[:3], [list(each) for each in photo.cells.sights]],
            }
            for photo in found.photos
        ],
    }
    arrays: dict[str, Any] = {"facts": np.array(as_json(facts)), "bank": found.bank, "shares": found.shares}
    for i, photo in enumerate(found.photos):
        arrays[f"map {i}"] = photo.maps
        if photo.view is not None:
            arrays[f"view {i}"] = np.frombuffer(photo.view.content, np.uint8)
    for t, each in enumerate(found.importances):
        arrays |= {f"{name} {t}": getattr(each, name) for name in ARRAYS if getattr(each, name) is not None}
    return arrays


def _fields(arrays: Mapping[str, Any]) -> dict[str, Any]:
    facts = json_of(str(arrays["facts"]))
    if facts.get("form") != FORM:
        raise ValueError(f"its form is {facts.get('form')!r}, and this seewhy reads {FORM}")
    bank = arrays["bank"]
    photos = tuple(_photo(i, each, arrays, len(bank)) for i, each in enumerate(facts["photos"]))
    typical = tuple(
        tuple(TypicalCrop(int(p), CropPlace(tuple(first), tuple(side)), float(amount)) for p, first, side, amount in row)
        for row in facts["typical"]
    )
    if len(typical) != len(bank) or any(not 0 <= crop.photo < len(photos) for row in typical for crop in row):
        raise ValueError("its crops are of other concepts or photos than it holds")
    importances = []
    for t, (target, words) in enumerate(facts["importances"]):
        columns: dict[str, Any] = {name: arrays.get(f"{name} {t}") for name in ARRAYS}
        importances.append(ConceptImportance(target, words, **columns))
    return {
        "model": made_from(ModelFacts, stored(with_bytes(facts["model"]))),
        "layer": str(facts["layer"]),
        "settings": made_from(FoundSettings, facts["settings"]),
        "bank": bank,
        "photos": photos,
        "typical": typical,
        "importances": tuple(importances),
        "shares": arrays["shares"],
        "error": float(facts["error"]),
        "negative": float(facts["negative"]),
        "failed": tuple((str(name), str(why)) for name, why in facts["failed"]),
        "notes": tuple(map(str, facts["notes"])),
        "names": {int(index): str(name) for index, name in facts["names"]},
    }


def _photo(i: int, facts: Mapping[str, Any], arrays: Mapping[str, Any], count: int) -> ConceptPhoto:
    maps, view, cells = arrays[f"map {i}"], facts["view"], facts["cells"]
    if maps.ndim < 2 or len(maps) != count:
        raise ValueError(f"the maps of photo {i} are {maps.shape}, of {count} concepts")
    first, stride, size, sights = cells or ((), (), (), ())
    return ConceptPhoto(
        int(facts["number"]),
        str(facts["name"]),
        facts["predicted"] and made_from(Predicted, facts["predicted"]),
        view and Thumbnail(arrays[f"view {i}"].tobytes(), str(view[0]), (int(view[1][0]), int(view[1][1]))),
        maps,
        tuple(map(int, facts["space"])),
        cells and Cells(tuple(first), tuple(stride), tuple(size), tuple(Sight(*each) for each in sights)),
    )
