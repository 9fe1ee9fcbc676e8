"""Drawn scenes with known answers, and small networks trained on them: one honest, one that cheats.

`api`, `report` and `models.zoo` import it; of seewhy it imports `errors` alone.
"""

from .kinds import KINDS
from .scenes import Scene, scene, scenes

__all__ = ["KINDS", "Scene", "scene", "scenes"]
