"""Drawn scenes with known answers, and small networks trained on them: one honest, one that cheats.

`api`, `report` and `models.zoo` import it; of seewhy it imports `errors` alone.
"""

from pathlib import Path

from .kinds import KINDS
from .scenes import Scene, scene, scenes

SEGMENTER = Path(__file__).parent / "weights" / "segmenter"
"""The folder of demo/segmenter, which says of each pixel of a scene what it shows."""

__all__ = ["KINDS", "Scene", "scene", "scenes"]
