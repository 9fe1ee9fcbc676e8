"""How many photos a second `seewhy explain` gets through, beside the network and the library alone on the same photos.

    python benchmarks/command_line.py [--rounds 5] [--photos FOLDER] [--model torchvision/mobilenet_v2]

Photo after photo, each alone: the network run on prepared arrays; `seewhy.grad_cam` of files; and the command, which reads,
explains, draws, encodes and writes.  Each runs in a process of its own, in turns, with one thread for each core and with one
core left free.  Start-up does not count: time begins when the first tenth of the photos is done.  What the command draws
beside the network is first compared with what it draws after it (`seewhy --debug explain`, which keeps to one thread).
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from measure import child
from seewhy.demo import scenes

WHOS = ("network alone", "library", "command line")
GOALS = {0: 0.6, 1: 0.9}  # of the network alone, by how many cores are left free
SIZE = (500, 375)


def draw_photos(folder: Path, count: int) -> None:
    """Scenes with the noise of a camera, of the size that photos of ImageNet have."""
    noise = np.random.default_rng(0)
    drawn = [scene.image.resize(SIZE, Image.Resampling.BICUBIC) for scene in scenes(12, 0)]
    for place in range(count):
        pixels = np.asarray(drawn[place % len(drawn)]) + noise.normal(0, 4, (*SIZE[::-1], 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{place:04}.jpg", quality=92)


def rate(stamps: list[float]) -> float:
    """Photos a second, from the times at which photos were done."""
    warm = stamps[len(stamps) // 10 :]
    return (len(warm) - 1) / (warm[-1] - warm[0])


def in_process(who: str, spec: str, weights: str, photos: Path) -> float:
    """The rate of the network alone, or of the library, in this process."""
    import torch  # in the process that measures alone

    import seewhy

    model: Any = seewhy.load(spec, weights or None)
    files = sorted(photos.iterdir())
    work: list[Callable[[], Any]] = [lambda file=file: seewhy.grad_cam(model, file) for file in files]
    if who == WHOS[0]:
        arrays = [torch.from_numpy(model.prepare(seewhy.read(file).pixels)[None]) for file in files]
        network = model.network.eval()
        work = [lambda x=x: network(x) for x in arrays]
    stamps = []
    with torch.inference_mode(who == WHOS[0]):
        for each in work:
            each()
            stamps.append(time.perf_counter())
    return rate(stamps)


def command(spec: str, weights: str, photos: Path, out: Path, *first: str) -> list[float]:
    """The times at which the command said each photo."""
    words = [sys.executable, "-m", "seewhy", *first, "explain", str(photos), "--model", spec, "--out", str(out), "--json"]
    words += ["--weights", weights] if weights else []
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as work:
        assert work.stdout is not None
        stamps = [time.perf_counter() for _ in work.stdout]
    assert work.returncode == 0, "the command failed"
    return stamps


def check_same(spec: str, weights: str, photos: Path) -> int:
    """The number of pictures, all of which have the same pixels whether other threads draw and write them or not."""
    with TemporaryDirectory() as beside, TemporaryDirectory() as after:
        command(spec, weights, photos, Path(beside))
        command(spec, weights, photos, Path(after), "--debug")
        names = sorted(path.name for path in Path(beside).glob("*.grad-cam*.png"))
        assert names, "nothing was drawn"
        assert names == sorted(path.name for path in Path(after).glob("*.grad-cam*.png"))
        for name in names:
            with Image.open(Path(beside, name)) as one, Image.open(Path(after, name)) as other:
                assert one.tobytes() == other.tobytes(), f"{name} differs"
    return len(names)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photos", type=Path, help="a folder of photos, in place of drawn ones")
    parser.add_argument("--count", type=int, default=150, help="of drawn photos")
    parser.add_argument("--model", default="torchvision/mobilenet_v2")
    parser.add_argument("--weights", default="random")
    parser.add_argument("--out", type=Path, help="write the table into this file, too")
    parser.add_argument("--child", choices=WHOS[:2], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(in_process(asked.child, asked.model, asked.weights, asked.photos))
        return
    with TemporaryDirectory() as drawn:
        if asked.photos is None:
            draw_photos(Path(drawn), asked.count)
        photos = asked.photos or Path(drawn)
        said = [f"{check_same(asked.model, asked.weights, photos)} pictures have the same pixels as those of one thread."]
        said += measured(asked.model, asked.weights, photos, asked.rounds)
    print("\n".join(said))
    if asked.out:
        asked.out.write_text("\n".join(said) + "\n")


def measured(spec: str, weights: str, photos: Path, rounds: int) -> list[str]:
    """The table: a row for each number of threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    table = ["", f"| threads of {cores} cores | {' | '.join(WHOS)} | of the network alone | goal |", "|---" * 6 + "|"]
    arguments = ["--model", spec, "--weights", weights, "--photos", str(photos)]
    for free in [free for free in GOALS if cores > free]:
        os.environ["OMP_NUM_THREADS"] = str(cores - free)
        rates: dict[str, list[float]] = {who: [] for who in WHOS}
        for _ in range(rounds):
            for who in WHOS[:2]:
                rates[who].append(child(__file__, "--child", who, *arguments))
            with TemporaryDirectory() as out:
                rates[WHOS[2]].append(rate(command(spec, weights, photos, Path(out))))
            print({who: f"{each[-1]:.1f}" for who, each in rates.items()}, file=sys.stderr)
        shares = [line / alone for line, alone in zip(rates[WHOS[2]], rates[WHOS[0]], strict=True)]
        cells = [f"{median(rates[who]):.1f}/s ({min(rates[who]):.1f}-{max(rates[who]):.1f})" for who in WHOS]
        share = f"**{median(shares):.2f}** ({min(shares):.2f}-{max(shares):.2f})"
        table.append(f"| {cores - free} | {' | '.join(cells)} | {share} | {GOALS[free]} |")
    return table


if __name__ == "__main__":
    main()
