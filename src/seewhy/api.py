"""The public names, in one place.  `seewhy` hands them out on first use."""

from importlib import import_module
from inspect import ismodule
from typing import TYPE_CHECKING, Any

from seewhy.images.photo import Photo as Photo
from seewhy.images.photo import read as read
from seewhy.images.places import Extent as Extent
from seewhy.images.volume import Volume as Volume
from seewhy.images.volumes import read_volume as read_volume
from seewhy.inside.heads import attention as attention
from seewhy.inside.units import Ranked as Ranked
from seewhy.inside.units import top_units as top_units
from seewhy.maps.fusion import fuse as fuse
from seewhy.maps.heatmap import Heatmap as Heatmap
from seewhy.maps.heatmaps import Heatmaps as Heatmaps
from seewhy.maps.image_boxes import ImageBoxes as ImageBoxes
from seewhy.maps.image_boxes import SuppressedBox as SuppressedBox
from seewhy.maps.regions import Regions as Regions
from seewhy.maps.source import Source as Source
from seewhy.methods import *  # noqa: F403 - every method is public, by its own name
from seewhy.methods.making.method import METHODS as METHODS
from seewhy.methods.making.method import Method as Method
from seewhy.methods.making.method import explain as explain
from seewhy.methods.making.probe import Probe as Probe
from seewhy.methods.making.reading import from_activations as from_activations
from seewhy.methods.making.reading import from_gradients as from_gradients
from seewhy.methods.making.reading import from_pixels as from_pixels
from seewhy.methods.making.scoring import Estimate as Estimate
from seewhy.methods.making.scoring import from_scores as from_scores
from seewhy.models.settings import IMAGE as IMAGE
from seewhy.models.settings import Fixed as Fixed
from seewhy.models.wrap import wrap as wrap
from seewhy.objects.found import FoundBox as FoundBox
from seewhy.objects.found import FoundBoxes as FoundBoxes
from seewhy.pictures.render import COLOURS as COLOURS
from seewhy.prepare.volume_fit import VolumeFit as VolumeFit
from seewhy.targets.aim import Aim as Aim
from seewhy.targets.group import AnyOf as AnyOf
from seewhy.targets.region import Point as Point
from seewhy.targets.region import Region as Region
from seewhy.targets.sums import Direction as Direction
from seewhy.targets.sums import Diversity as Diversity
from seewhy.targets.sums import WholeLayer as WholeLayer
from seewhy.targets.target import Class as Class
from seewhy.targets.target import Contrast as Contrast
from seewhy.targets.target import PerImage as PerImage
from seewhy.targets.target import Top as Top
from seewhy.targets.target import Unit as Unit
from seewhy.truth.evidence import EvidenceShare as EvidenceShare

from .errors import BadImage as BadImage
from .errors import BadNetwork as BadNetwork
from .errors import BadParameter as BadParameter
from .errors import BadRecord as BadRecord
from .errors import BadWeights as BadWeights
from .errors import MissingExtra as MissingExtra
from .errors import Misuse as Misuse
from .errors import NeedsGradients as NeedsGradients
from .errors import NoSuchName as NoSuchName
from .errors import NotApplicable as NotApplicable
from .errors import NotWritten as NotWritten
from .errors import OutOfMemory as OutOfMemory
from .errors import SeewhyError as SeewhyError

if TYPE_CHECKING:
    from seewhy.comparison.disagreement import Disagreement as Disagreement
    from seewhy.comparison.disagreement import disagreement as disagreement
    from seewhy.comparison.drift import drift as drift
    from seewhy.comparison.records import Drift as Drift
    from seewhy.comparison.records import PhotoDrift as PhotoDrift
    from seewhy.dataset.auditing.asking import audit as audit
    from seewhy.dataset.auditing.record import Audit as Audit
    from seewhy.dataset.comparing.comparing_runs import compare_runs as compare_runs
    from seewhy.dataset.comparing.difference_record import RunDifference as RunDifference
    from seewhy.dataset.dataset_run import DatasetRun as DatasetRun
    from seewhy.dataset.dataset_run import open_run as open_run
    from seewhy.dataset.run_embedding import embed as embed
    from seewhy.dataset.running import explain_dataset as explain_dataset
    from seewhy.dataset.sharing.epochs import keras_callback as keras_callback
    from seewhy.dataset.sharing.epochs import lightning_callback as lightning_callback
    from seewhy.dataset.sharing.trackers import log_maps as log_maps
    from seewhy.diagnosis.doctor import doctor as doctor
    from seewhy.exporting.export import Exported as Exported
    from seewhy.exporting.export import export as export
    from seewhy.images.clip import Clip as Clip
    from seewhy.images.clip import read_clip as read_clip
    from seewhy.inside.activations import activations as activations
    from seewhy.inside.concepts.autoencoder import Autoencoder as Autoencoder
    from seewhy.inside.concepts.autoencoder_features import PhotoFeatures as PhotoFeatures
    from seewhy.inside.concepts.autoencoder_features import features as features
    from seewhy.inside.concepts.autoencoder_file import load_autoencoder as load_autoencoder
    from seewhy.inside.concepts.concept_vector import ConceptVector as ConceptVector
    from seewhy.inside.concepts.discovered import Concepts as Concepts
    from seewhy.inside.concepts.discovering import concepts as concepts
    from seewhy.inside.concepts.tcav import tcav as tcav
    from seewhy.inside.concepts.tcav_outcome import ConceptScore as ConceptScore
    from seewhy.inside.concepts.tcav_outcome import Tcav as Tcav
    from seewhy.inside.detections import detections as detections
    from seewhy.inside.dreams.dream import dream as dream
    from seewhy.inside.dreams.dreamt import Dream as Dream
    from seewhy.inside.dreams.inversion import invert as invert
    from seewhy.inside.dreams.inverted import Inverted as Inverted
    from seewhy.inside.embeddings.embedding import Embedding as Embedding
    from seewhy.inside.embeddings.neighbours import Neighbours as Neighbours
    from seewhy.inside.embeddings.projection import Projection as Projection
    from seewhy.inside.exciting.asking import top_photos as top_photos
    from seewhy.inside.exciting.record import TopPhotos as TopPhotos
    from seewhy.inside.filters import filters as filters
    from seewhy.inside.layer_activations import LayerActivations as LayerActivations
    from seewhy.inside.layer_filters import LayerFilters as LayerFilters
    from seewhy.inside.maximizing.maximize import maximize as maximize
    from seewhy.inside.maximizing.maximized import Maximized as Maximized
    from seewhy.inside.maximizing.transformations import Transformations as Transformations
    from seewhy.inside.token_activations import token_activation as token_activation
    from seewhy.inside.written_texts import written as written
    from seewhy.localize.affinity import Affinity as Affinity
    from seewhy.localize.affinity import boundary_affinity as boundary_affinity
    from seewhy.localize.affinity import colour_affinity as colour_affinity
    from seewhy.localize.affinity import feature_affinity as feature_affinity
    from seewhy.localize.labels.saving import save_labels as save_labels
    from seewhy.localize.saliency import seed_saliency as seed_saliency
    from seewhy.localize.seed_map import Seeds as Seeds
    from seewhy.localize.seeds import seeds as seeds
    from seewhy.metrics.contrast import ContrastAnswer as ContrastAnswer
    from seewhy.metrics.contrast import contrast as contrast
    from seewhy.metrics.verdict.compare import compare as compare
    from seewhy.metrics.verdict.outcome import MethodComparison as MethodComparison
    from seewhy.metrics.verdict.trust import Trust as Trust
    from seewhy.metrics.verdict.trust import trust as trust
    from seewhy.models.load import load as load
    from seewhy.prepare.clip_fit import ClipFit as ClipFit
    from seewhy.remaking.checks import Check as Check
    from seewhy.remaking.record import EvidenceRecord as EvidenceRecord
    from seewhy.remaking.remade import Remade as Remade
    from seewhy.remaking.saved import verify as verify
    from seewhy.targets.box import Box as Box
    from seewhy.targets.box import Detection as Detection
    from seewhy.targets.embedding import Similar as Similar
    from seewhy.targets.embedding import Text as Text
    from seewhy.targets.token import Token as Token
    from seewhy.targets.written import WrittenText as WrittenText

    from . import demo as demo
    from . import metrics as metrics

_LATE = {  # loaded when they are first asked for
    "demo": "seewhy.demo", "metrics": "seewhy.metrics", "doctor": "seewhy.diagnosis.doctor", "load": "seewhy.models.load",
    **dict.fromkeys(("Disagreement", "disagreement"), "seewhy.comparison.disagreement"),
    "drift": "seewhy.comparison.drift", **dict.fromkeys(("Drift", "PhotoDrift"), "seewhy.comparison.records"),
    **dict.fromkeys(("DatasetRun", "open_run"), "seewhy.dataset.dataset_run"),
    "explain_dataset": "seewhy.dataset.running", "embed": "seewhy.dataset.run_embedding",
    "Embedding": "seewhy.inside.embeddings.embedding", "Projection": "seewhy.inside.embeddings.projection",
    "Neighbours": "seewhy.inside.embeddings.neighbours",
    "log_maps": "seewhy.dataset.sharing.trackers",
    **dict.fromkeys(("keras_callback", "lightning_callback"), "seewhy.dataset.sharing.epochs"),
    "compare_runs": "seewhy.dataset.comparing.comparing_runs",
    "RunDifference": "seewhy.dataset.comparing.difference_record",
    "audit": "seewhy.dataset.auditing.asking", "Audit": "seewhy.dataset.auditing.record",
    "Remade": "seewhy.remaking.remade", "verify": "seewhy.remaking.saved",
    "Check": "seewhy.remaking.checks", "EvidenceRecord": "seewhy.remaking.record",
    **dict.fromkeys(("Trust", "trust"), "seewhy.metrics.verdict.trust"),
    "compare": "seewhy.metrics.verdict.compare", "MethodComparison": "seewhy.metrics.verdict.outcome",
    "save_labels": "seewhy.localize.labels.saving",
    "seeds": "seewhy.localize.seeds", "Seeds": "seewhy.localize.seed_map", "seed_saliency": "seewhy.localize.saliency",
    **dict.fromkeys(("Affinity", "boundary_affinity", "colour_affinity", "feature_affinity"), "seewhy.localize.affinity"),
    **dict.fromkeys(("ContrastAnswer", "contrast"), "seewhy.metrics.contrast"),
    "activations": "seewhy.inside.activations", "LayerActivations": "seewhy.inside.layer_activations",
    "dream": "seewhy.inside.dreams.dream", "Dream": "seewhy.inside.dreams.dreamt",
    "invert": "seewhy.inside.dreams.inversion", "Inverted": "seewhy.inside.dreams.inverted",
    "top_photos": "seewhy.inside.exciting.asking", "TopPhotos": "seewhy.inside.exciting.record",
    **dict.fromkeys(("PhotoFeatures", "features"), "seewhy.inside.concepts.autoencoder_features"),
    "Autoencoder": "seewhy.inside.concepts.autoencoder", "load_autoencoder": "seewhy.inside.concepts.autoencoder_file",
    "tcav": "seewhy.inside.concepts.tcav", "ConceptVector": "seewhy.inside.concepts.concept_vector",
    **dict.fromkeys(("ConceptScore", "Tcav"), "seewhy.inside.concepts.tcav_outcome"),
    "concepts": "seewhy.inside.concepts.discovering", "Concepts": "seewhy.inside.concepts.discovered",
    "filters": "seewhy.inside.filters", "LayerFilters": "seewhy.inside.layer_filters",
    "written": "seewhy.inside.written_texts", "token_activation": "seewhy.inside.token_activations",
    "detections": "seewhy.inside.detections", **dict.fromkeys(("Box", "Detection"), "seewhy.targets.box"),
    **dict.fromkeys(("Similar", "Text"), "seewhy.targets.embedding"),
    "Token": "seewhy.targets.token", "WrittenText": "seewhy.targets.written",
    **dict.fromkeys(("Exported", "export"), "seewhy.exporting.export"),
    "maximize": "seewhy.inside.maximizing.maximize", "Maximized": "seewhy.inside.maximizing.maximized",
    "Transformations": "seewhy.inside.maximizing.transformations",
    "ClipFit": "seewhy.prepare.clip_fit", **dict.fromkeys(("Clip", "read_clip"), "seewhy.images.clip"),
}  # fmt: skip

PUBLIC = sorted(
    {*_LATE} | {name for name, value in globals().items() if getattr(value, "__module__", __name__).startswith("seewhy")
                and not (name.startswith("_") or ismodule(value) or name in ("TYPE_CHECKING", "Any"))}
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATE:
        module = import_module(_LATE[name])
        return getattr(module, name, module)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
