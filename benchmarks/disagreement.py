"""From which disagreement with HiResCAM on is Grad-CAM to be doubted?  Learned from the demo's `flat` network.

    python benchmarks/disagreement.py [SCENES]

Every class of each scene is explained by both, and by occlusion, which asks the network itself.  Grad-CAM lies where HiResCAM's
evidence is nearer to occlusion's by more than a tenth of it.  The threshold is where the rate of lies that are found less that
of false alarms is largest (Youden), on the first half of the scenes; the second half only scores it.
"""

import json
import sys

import numpy as np

import seewhy
from seewhy.demo import scenes
from seewhy.objects.shift import PARTED, energy_shift

SEED, NEARER = 11, 0.1


def table(count: int) -> np.ndarray:
    """(count * 10, 2): how much of Grad-CAM's evidence HiResCAM has elsewhere, and whether Grad-CAM lies."""
    model, photos = seewhy.load("demo/flat"), [scene.image for scene in scenes(count, SEED, pair=True)]
    targets = [seewhy.Class(k) for k in range(10)]
    both = seewhy.explain(model, photos, ["grad-cam", "hires-cam"], target=targets)
    rows = []
    for grad, hires, hidden in zip(both[::2], both[1::2], seewhy.occlusion(model, photos, target=targets), strict=True):
        truth = hidden.full()
        farther = energy_shift(grad.full(), truth) - energy_shift(hires.full(), truth)
        rows.append((energy_shift(grad.values, hires.values), farther > NEARER))
    return np.array(rows)


def youden(apart: np.ndarray, lies: np.ndarray) -> float:
    """The threshold of the largest rate of lies found less false alarms."""
    tried = np.unique(apart)
    return float(tried[np.argmax([(apart[lies] >= t).mean() - (apart[~lies] >= t).mean() for t in tried])])


def scored(apart: np.ndarray, lies: np.ndarray, threshold: float) -> dict[str, float]:
    above = apart >= threshold
    return {
        "maps": len(apart), "above": above.mean(), "lies above": lies[above].mean(), "lies below": lies[~above].mean(),
        "lies found": above[lies].mean(), "false alarms": above[~lies].mean(),
    }  # fmt: skip


if __name__ == "__main__":
    rows = table(int(sys.argv[1]) if len(sys.argv) > 1 else 160)
    half = len(rows) // 20 * 10
    (apart, lies), (later, later_lies) = ((part[:, 0], part[:, 1] > 0) for part in (rows[:half], rows[half:]))
    print(json.dumps({"learned": youden(apart, lies), "used": PARTED, **scored(later, later_lies, PARTED)}, indent=1))
