"""Photos of drawn birds for the command line, and which of them it explained."""

import json
from pathlib import Path

from seewhy.demo import scenes


def photo(name, seed=0):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    scenes(1, seed, kinds=["bird"])[0].image.save(path, "PNG")
    return name


def images(done) -> list[str]:
    return [line["image"] for line in map(json.loads, done.stdout.splitlines())]
