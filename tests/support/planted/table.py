"""All planted networks by name."""

from . import beyond, families, language, maps, rows
from .judge import Planted

TABLE: dict[str, Planted] = {**maps.tables(), **rows.tables(), **beyond.tables(), **families.tables(), **language.tables()}
