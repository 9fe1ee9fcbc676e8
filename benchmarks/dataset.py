"""Runs over a set beside plain inference: throughput, the share of decoding, bytes a photo, resume, memory.

    python benchmarks/dataset.py [--quick] [--only throughput,command,bytes,resume,memory] [--out FILE]

It takes the photos and weights of ../shared/data (or SEEWHY_DATA).  Plain inference is the same pipeline without seewhy's part:
files read, decoded and prepared by as many threads beside the network, in batches of as many photos, and the likeliest class of
each.  Runs are interleaved, A B A B, and medians given; only ratios of one run mean anything.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch
from PIL import Image

import measure
import seewhy
from seewhy.dataset.chunks import RunSettings, explain_chunk
from seewhy.dataset.dataset_run import open_run
from seewhy.dataset.info import RunInfo, write_info
from seewhy.dataset.store import gaps, part_path, rows_table, write_part
from seewhy.memory import keep_freed
from seewhy.photo_sets.listing import list_items

DATA = Path(os.environ.get("SEEWHY_DATA", Path(__file__).parents[2] / "shared" / "data"))
NETS = {
    "mobilenet_v2": "torchvision/mobilenet_v2:mobilenet_v2_torchvision_imagenet",
    "squeezenet1_1": "torchvision/squeezenet1_1:squeezenet1_1_torchvision_imagenet",
}
WORKERS = 2


def model_of(net: str) -> Any:
    spec, file = NETS[net].split(":")
    return seewhy.load(spec, weights=DATA / f"{file}.safetensors")


def listing_of(model: Any) -> Any:
    folder = DATA / "imagenet-sample"
    return list_items(folder, model.labels, truth=folder / "labels.csv")


def plain(model: Any, paths: list[str]) -> list[int]:
    """The likeliest class of each photo, by torch alone."""
    size, found = model.at_once((224, 224)), list[int]()

    def ready(path: str) -> Any:
        with Image.open(path) as photo:
            return np.ascontiguousarray(model.prepare(photo.convert("RGB")))  # (c, h, w), as torch's own loaders give

    def ask(arrays: list[Any]) -> None:
        found.extend(model.network(torch.from_numpy(np.stack(arrays))).argmax(1).tolist())

    with ThreadPoolExecutor(WORKERS) as pool, torch.inference_mode():
        waiting, batch = deque[Any](), []
        for path in paths:
            waiting.append(pool.submit(ready, path))
            if len(waiting) < size + WORKERS:
                continue
            batch.append(waiting.popleft().result())
            if len(batch) == size:
                ask(batch)
                batch = []
        batch += [future.result() for future in waiting]
        for start in range(0, len(batch), size):
            ask(batch[start : start + size])
    return found


def decoded(model: Any, paths: list[str]) -> None:
    """Read, decoded and prepared, in one thread."""
    for path in paths:
        with Image.open(path) as photo:
            model.prepare(photo.convert("RGB"))


def throughput(net: str, rounds: int, count: int) -> list[str]:
    model = model_of(net)
    listing, folder = listing_of(model), Path(mkdtemp())
    listing = replace(listing, names=listing.names[:count], classes=listing.classes[:count])
    paths, count = [item.path for item in listing], len(listing)

    def run() -> None:
        shutil.rmtree(folder / "run", ignore_errors=True)
        seewhy.explain_dataset(model, listing, folder / "run", workers=WORKERS)

    runs = {"plain": lambda: plain(model, paths), "run": run, "decoded": lambda: decoded(model, paths)}
    wall, busy = interleaved(runs, rounds, count)
    shutil.rmtree(folder)
    each = {who: median(some) for who, some in wall.items()}
    shares = [f"**{median(own):.2f}** ({min(own):.2f}-{max(own):.2f})" for own in (_shares(wall), _shares(busy))]
    alone = f"{each['decoded']:.1f} ms, {each['decoded'] / each['plain']:.0%}"
    return [f"| {net} | {each['plain']:.1f} ms | {each['run']:.1f} ms | {shares[0]} | {shares[1]} | {alone} |"]


def _shares(each: dict[str, list[float]]) -> list[float]:
    return [a / b for a, b in zip(each["plain"], each["run"], strict=True)]


def interleaved(runs: dict[str, Any], rounds: int, count: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Milliseconds a photo of each run, A B C A B C ..., after one of each that does not count: of the clock, and of all
    processors, which neighbours on the machine disturb less.  The network has one thread; the others read and make rows.
    """
    torch.set_num_threads(1)
    for run in runs.values():
        run()
    wall: dict[str, list[float]] = {who: [] for who in runs}
    busy: dict[str, list[float]] = {who: [] for who in runs}
    for _ in range(rounds):
        for who, run in runs.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            wall[who].append(1000 * (time.perf_counter() - start) / count)
            busy[who].append(1000 * (time.process_time() - used) / count)
    return wall, busy


def child(how: str, net: str, count: int) -> float:
    """Milliseconds a photo of a process of its own, after a few that do not count.

    how: "plain" inference, as a script has it; a "run" from Python; the "command" `seewhy run`, which also keeps freed memory.
    """
    if how == "command":
        keep_freed()
    torch.set_num_threads(1)
    model = model_of(net)
    listing, folder = listing_of(model), Path(mkdtemp())

    def work(place: str, many: int) -> None:
        part = replace(listing, names=listing.names[:many], classes=listing.classes[:many])
        if how == "plain":
            plain(model, [item.path for item in part])
        else:
            seewhy.explain_dataset(model, part, folder / place, workers=WORKERS)

    work("first", 8)
    start = time.perf_counter()
    work("run", count)
    shutil.rmtree(folder, ignore_errors=True)
    return 1000 * (time.perf_counter() - start) / min(count, len(listing))


def command(net: str, rounds: int, count: int) -> list[str]:
    """A plain script, a run from Python and the command, each in a process of its own, A B C A B C ...: medians, and
    the share of the script's throughput.
    """
    each: dict[str, list[float]] = {"plain": [], "run": [], "command": []}
    for _ in range(rounds):
        for how, times in each.items():
            asked = [sys.executable, __file__, "--child", how, net, "--photos", str(count)]
            times.append(float(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[-1]))
    shares = {how: [a / b for a, b in zip(each["plain"], each[how], strict=True)] for how in ("run", "command")}
    told = [f"**{median(own):.2f}** ({min(own):.2f}-{max(own):.2f})" for own in shares.values()]
    return [f"| {net} | {' | '.join(f'{median(some):.1f} ms' for some in each.values())} | {' | '.join(told)} |"]


def sizes(net: str) -> list[str]:
    """Bytes of a photo in the store, by column."""
    from pyarrow import parquet  # here, with the next, for it comes with an extra

    model, path = model_of(net), Path(mkdtemp()) / "rows" / "part-00000000.parquet"
    listing = listing_of(model)
    methods = (seewhy.METHODS["grad-cam"],)
    write_part(path, explain_chunk(model, listing[:], RunSettings(methods, ("top", "true"), None, WORKERS)))
    meta = parquet.read_metadata(path).row_group(0)
    columns: dict[str, int] = {}
    for place in range(meta.num_columns):
        column = meta.column(place)
        name = column.path_in_schema.split(".")[0]
        columns[name] = columns.get(name, 0) + column.total_compressed_size
    whole, count = path.stat().st_size, len(listing)
    shutil.rmtree(path.parent.parent)
    most = sorted(columns.items(), key=lambda pair: -pair[1])
    told = ", ".join(f"{name} {size / count:.0f}" for name, size in most[:6])
    without = (whole - columns["embedding"] - columns["seen"]) / count
    return [f"{net}: {whole / count:.0f} bytes a photo ({told}); {without:.0f} without `embedding` and `seen`"]


def synthetic(folder: Path, count: int, chunk: int) -> None:
    """A run of which half of the parts are there: rows as large as real ones."""
    draw = np.random.default_rng(0)
    write_info(
        folder, RunInfo("net", None, "", None, ({"name": "grad-cam", "params": {}},), ("top",), "set", count, "0", chunk)
    )
    for k in range(0, -(-count // chunk), 2):
        items = range(k * chunk, min(count, (k + 1) * chunk))
        rows = [
            {"item": i, "path": f"photos/{i:08d}.jpg", "method": "grad-cam", "target": "top", "right": True,
             "map": draw.bytes(98), "map_shape": [7, 7], "map_scale": 1.0,
             "embedding": draw.bytes(2560), "seen": draw.bytes(2560)}
            for i in items
        ]  # fmt: skip
        write_part(part_path(folder, k), rows_table(rows))


def resume(count: int = 200_000) -> list[str]:
    """How long it takes to find out what is missing, of a run with 100,000 rows."""
    folder = Path(mkdtemp())
    synthetic(folder, count, 256)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        missing = sum(len(gap.items) for gap in gaps(folder, count, 256))
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    rows = len(open_run(folder).table(["item", "right"]))
    table = time.perf_counter() - start
    shutil.rmtree(folder)
    return [f"{rows:,} rows in {count // 512} parts, {missing:,} photos missing: found in {median(seconds):.2f} s; "
            f"two columns of all rows read in {table:.2f} s"]  # fmt: skip


def memory(count: int) -> list[str]:
    """What a process holds after each fourth of a run over small photos, repeated."""
    folder = Path(mkdtemp())
    photos = folder / "photos"
    photos.mkdir()
    draw = np.random.default_rng(0)
    for i in range(20):
        Image.fromarray(draw.integers(0, 256, (24, 24, 3), np.uint8)).save(photos / f"{i}.png")
    for i in range(20, count):
        os.link(photos / f"{i % 20}.png", photos / f"{i}.png")
    model = seewhy.load("demo/honest", prepare={"size": 32, "crop": 32, "mean": 0.5, "std": 0.5})
    held = list[float]()
    from seewhy.dataset import storing  # here, for its writer is looked at

    write, quarter = storing.write_part, max(1, count // 64 // 4)

    def looked(path: Path, table: Any) -> None:
        write(path, table)
        if int(path.stem.split("-")[1]) % quarter == quarter - 1:
            held.append(measure.memory("VmRSS"))

    storing.write_part = looked
    start = time.perf_counter()
    done = len(seewhy.explain_dataset(model, photos, folder / "run", workers=WORKERS))
    seconds = time.perf_counter() - start
    shutil.rmtree(folder)
    said = ", ".join(f"{each:.0f}" for each in held)
    return [f"{done:,} photos of 24 x 24 in {seconds:.0f} s; MiB held after each fourth of them: {said}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds, 2,000 photos for memory")
    parser.add_argument("--photos", type=int, default=200, help="of which the throughput is measured")
    parser.add_argument("--only", default="throughput,command,bytes,resume,memory")
    parser.add_argument("--child", nargs=2, metavar=("HOW", "NET"), help="what `command` asks of another process")
    parser.add_argument("--out", type=Path, help="write the lines into this file, too")
    asked = parser.parse_args()
    if asked.child:
        print(child(*asked.child, asked.photos))
        return
    lines = list[str]()
    if "command" in asked.only:
        lines += ["| network | plain script | run from Python | `seewhy run` | share of Python | share of the command |",
                  "|---|---|---|---|---|---|"]  # fmt: skip
        for net in NETS:
            lines += command(net, 3 if asked.quick else 7, asked.photos)
    if "throughput" in asked.only:
        lines += ["| network | plain inference | run | share of the throughput | of processor time | decoding alone |",
                  "|---|---|---|---|---|---|"]  # fmt: skip
        for net in NETS:
            lines += throughput(net, 3 if asked.quick else 7, asked.photos)
    lines += [line for net in NETS for line in sizes(net)] if "bytes" in asked.only else []
    lines += resume() if "resume" in asked.only else []
    lines += memory(2_000 if asked.quick else 20_000) if "memory" in asked.only else []
    print("\n".join(lines))
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
