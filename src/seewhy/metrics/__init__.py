"""How well maps do, in numbers with their intervals and controls.

It stands on `methods` and `localize`; the public names and the command line stand on it.
"""

from .faithfulness.asking import random_logit, sensitivity_max
from .faithfulness.compactness import completeness, complexity, sparseness
from .faithfulness.curves import deletion, insertion, monotonicity, pixel_flipping
from .faithfulness.drops import average_drop, average_gain, average_increase, mask_size
from .faithfulness.regions import faithfulness_estimate, irof, region_perturbation, selectivity
from .faithfulness.road import road, road_lerf, road_morf
from .faithfulness.subsets import faithfulness_correlation, infidelity, sensitivity_n
from .games.disconnected import di_full, di_part
from .games.playing import grid_pointing_game
from .games.records import GameRow, GridGame
from .localization.board import BoardPhoto, board
from .localization.boxes import BoxScoring
from .localization.curves import save_curves
from .localization.pixels import PixelScoring
from .localization.places import PlaceScoring
from .localization.records import ControlScore, LocalizationScore, csv_of_scores, json_of_scores, table
from .localization.segmentation import BackgroundScoring, SegmentationScoring
from .measuring import Measurements, MetricScore, measure
from .metric import METRICS, Metric, metric
from .planted.finding import planted
from .planted.outcome import PlantedTruth
from .regional.ask import evidence
from .regional.report import EvidenceReport
from .sanity.comparisons import MapChange, class_sensitivity, input_invariance, label_randomised
from .sanity.complexity import EntropyRise, efficient_mprt
from .sanity.randomised import randomised
from .sanity.records import Randomised, SanityRow
from .stability import ChangedMap, Stability, stability
from .verdict.compare import compare
from .verdict.outcome import MethodComparison
from .verdict.trust import Trust, trust

__all__ = [
    "METRICS",
    "BackgroundScoring",
    "BoardPhoto",
    "BoxScoring",
    "ChangedMap",
    "ControlScore",
    "EntropyRise",
    "EvidenceReport",
    "GameRow",
    "GridGame",
    "LocalizationScore",
    "MapChange",
    "Measurements",
    "MethodComparison",
    "Metric",
    "MetricScore",
    "PixelScoring",
    "PlaceScoring",
    "PlantedTruth",
    "Randomised",
    "SanityRow",
    "SegmentationScoring",
    "Stability",
    "Trust",
    "average_drop",
    "average_gain",
    "average_increase",
    "board",
    "class_sensitivity",
    "compare",
    "completeness",
    "complexity",
    "csv_of_scores",
    "deletion",
    "di_full",
    "di_part",
    "efficient_mprt",
    "evidence",
    "faithfulness_correlation",
    "faithfulness_estimate",
    "grid_pointing_game",
    "infidelity",
    "input_invariance",
    "insertion",
    "irof",
    "json_of_scores",
    "label_randomised",
    "mask_size",
    "measure",
    "metric",
    "monotonicity",
    "pixel_flipping",
    "planted",
    "random_logit",
    "randomised",
    "region_perturbation",
    "road",
    "road_lerf",
    "road_morf",
    "save_curves",
    "selectivity",
    "sensitivity_max",
    "sensitivity_n",
    "sparseness",
    "stability",
    "table",
    "trust",
]
