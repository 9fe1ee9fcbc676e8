"""How well maps do, in numbers with their intervals and controls.

It stands on `methods` and `localize`; the public names and the command line stand on it.
"""

from .localization.board import BoardPhoto, board
from .localization.boxes import BoxScoring
from .localization.curves import save_curves
from .localization.pixels import PixelScoring
from .localization.places import PlaceScoring
from .localization.records import ControlScore, LocalizationScore, csv_of_scores, json_of_scores, table
from .localization.segmentation import BackgroundScoring, SegmentationScoring

__all__ = [
    "BackgroundScoring",
    "BoardPhoto",
    "BoxScoring",
    "ControlScore",
    "LocalizationScore",
    "PixelScoring",
    "PlaceScoring",
    "SegmentationScoring",
    "board",
    "csv_of_scores",
    "json_of_scores",
    "save_curves",
    "table",
]
