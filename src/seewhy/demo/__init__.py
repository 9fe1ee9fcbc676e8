"""Drawn scenes with known answers, and small networks trained on them: one honest, one that cheats."""

from .kinds import KINDS
from .scenes import Scene, scene, scenes

__all__ = ["KINDS", "Scene", "scene", "scenes"]
