"""How many photos a second `seewhy localize` gets through, beside plain inference and the library on the same photos.

    python benchmarks/localize.py [--rounds 5] [--photos FOLDER] [--models torchvision/mobilenet_v2 torchvision/resnet50]

Photo after photo, each alone: plain inference, which decodes, prepares and runs the network; the library, which finds boxes by
`seewhy.grad_cam(model, file)` and `boxes()`; and the command, which reads, explains, finds boxes and writes them as COCO's JSON
with masks.  Each runs in a process of its own, in turns, with one thread for each core and with one core left free.  Start-up
does not count: time begins when the first tenth of the photos is done.  The boxes of the command are first compared with those
of the library.  The weights are drawn once, and loaded from a file as trained ones are.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from command_line import draw_photos, rate
from measure import child

WHOS = ("plain inference", "library", "seewhy localize")
GOAL = 0.9  # of plain inference


def draw_weights(spec: str, path: Path) -> None:
    """Random weights in a file, which nothing tells from trained ones."""
    from safetensors.torch import save_file

    import seewhy

    model: Any = seewhy.load(spec, "random")
    save_file(model.network.state_dict(), path)


def in_process(who: str, spec: str, weights: Path, photos: Path) -> float:
    """The rate of plain inference, or of the library, in this process."""
    import torch  # in the process that measures alone

    import seewhy

    model: Any = seewhy.load(spec, weights)
    network, stamps = model.network.eval(), []

    def infer(file: Path) -> Any:
        return network(torch.from_numpy(model.prepare(seewhy.read(file).pixels)[None]))

    work: Callable[[Path], Any] = infer if who == WHOS[0] else lambda file: seewhy.grad_cam(model, file)[0].boxes()
    with torch.inference_mode(who == WHOS[0]):
        for file in sorted(photos.iterdir()):
            work(file)
            stamps.append(time.perf_counter())
    return rate(stamps)


def command(spec: str, weights: Path, photos: Path, out: Path) -> list[float]:
    """The times at which the command said each photo."""
    words = [sys.executable, "-m", "seewhy", "localize", str(photos), "--model", spec]
    words += ["--weights", str(weights), "--out", str(out), "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as work:
        assert work.stdout is not None
        stamps = [time.perf_counter() for _ in work.stdout]
    assert work.returncode == 0, "the command failed"
    return stamps


def check_same(spec: str, weights: Path, photos: Path) -> int:
    """The number of photos, all of which have the same boxes in the command's labels as from the library."""
    import seewhy

    model: Any = seewhy.load(spec, weights)
    with TemporaryDirectory() as folder:
        out = Path(folder, "labels.json")
        command(spec, weights, photos, out)
        labels = json.loads(out.read_text())
    names = {image["id"]: image["file_name"] for image in labels["images"]}
    found = {names[mark["image_id"]]: mark["bbox"] for mark in labels["annotations"]}
    for file in sorted(photos.iterdir()):
        boxes = seewhy.grad_cam(model, file)[0].boxes()
        x0, y0, x1, y1 = boxes[0].edges if boxes else (0, 0, 0, 0)
        assert found.get(str(file)) == ([x0, y0, x1 - x0, y1 - y0] if boxes else None), f"{file} has other boxes"
    return len(names)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photos", type=Path, help="a folder of photos, in place of drawn ones")
    parser.add_argument("--count", type=int, default=150, help="of drawn photos")
    parser.add_argument("--models", nargs="+", default=["torchvision/mobilenet_v2", "torchvision/resnet50"])
    parser.add_argument("--out", type=Path, help="write the table into this file, too")
    parser.add_argument("--child", choices=WHOS[:2], help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(in_process(asked.child, asked.models[0], asked.weights, asked.photos))
        return
    with TemporaryDirectory() as drawn, TemporaryDirectory() as files:
        if asked.photos is None:
            draw_photos(Path(drawn), asked.count)
        photos, weights = asked.photos or Path(drawn), dict[str, Path]()
        for place, spec in enumerate(asked.models):
            weights[spec] = Path(files, f"{place}.safetensors")
            draw_weights(spec, weights[spec])
        first = asked.models[0]
        said = [f"The boxes of {check_same(first, weights[first], photos)} photos are those of the library.", ""]
        said += measured(weights, photos, asked.rounds)
    print("\n".join(said))
    if asked.out:
        asked.out.write_text("\n".join(said) + "\n")


def measured(weights: dict[str, Path], photos: Path, rounds: int) -> list[str]:
    """The table: a row for each network and number of threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    table = [f"| network | threads of {cores} cores | {' | '.join(WHOS)} | of plain inference | goal |", "|---" * 7 + "|"]
    for spec, file in weights.items():
        for threads in {cores, max(1, cores - 1)}:
            os.environ["OMP_NUM_THREADS"] = str(threads)
            rates: dict[str, list[float]] = {who: [] for who in WHOS}
            for _ in range(rounds):
                for who in WHOS[:2]:
                    words = ["--models", spec, "--weights", str(file), "--photos", str(photos)]
                    rates[who].append(child(__file__, "--child", who, *words))
                with TemporaryDirectory() as out:
                    rates[WHOS[2]].append(rate(command(spec, file, photos, Path(out, "labels.json"))))
                print(spec, threads, {who: f"{each[-1]:.1f}" for who, each in rates.items()}, file=sys.stderr)
            shares = [line / plain for line, plain in zip(rates[WHOS[2]], rates[WHOS[0]], strict=True)]
            cells = [f"{median(rates[who]):.1f}/s ({min(rates[who]):.1f}-{max(rates[who]):.1f})" for who in WHOS]
            share = f"**{median(shares):.2f}** ({min(shares):.2f}-{max(shares):.2f})"
            table.append(f"| {spec} | {threads} | {' | '.join(cells)} | {share} | {GOAL} |")
    return table


if __name__ == "__main__":
    main()
