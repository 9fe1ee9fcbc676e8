"""Time and memory, measured so that neighbours disturb little: interleaved runs, medians, each row in its own process."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch

Run = Callable[[], Any]


def interleaved(runs: Mapping[str, Run], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run, A B C A B C ..., after one of each that does not count."""
    torch.set_num_threads(2)
    for run in runs.values():
        run()
    seconds: dict[str, list[float]] = {who: [] for who in runs}
    for _ in range(rounds):
        for who, run in runs.items():
            time.sleep(0.15)  # BLAS threads of the one before spin for a while
            start = time.perf_counter()
            run()
            seconds[who].append(time.perf_counter() - start)
    return seconds


def above(run: Run, small: Run) -> float:
    """MiB that the run takes at most above what the process held after `small`, which loads all it needs."""
    torch.set_num_threads(2)
    small()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # start the high-water mark afresh
    run()
    return memory("VmHWM") - before


def memory(key: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def child(file: str, *args: str) -> Any:
    """The last line that another run of the file prints, as JSON."""
    out = subprocess.run([sys.executable, file, *args], capture_output=True, text=True, check=True)
    return json.loads(out.stdout.splitlines()[-1])


def cells(seconds: Mapping[str, list[float]], whos: tuple[str, ...]) -> list[str]:
    """Medians, with the least and the most, as multiples of the median plain forward pass; empty for who was not asked."""
    base = median(seconds["forward"])
    shares = [[s / base for s in seconds.get(who, [])] for who in whos]
    return [f"**{median(own):.2f}x** ({min(own):.2f}-{max(own):.2f})" if own else "" for own in shares]


def command(
    doc: str, rounds: int, runs: Callable[[str], Mapping[str, Run]], peak: Callable[[str], float],
    agreement: Callable[[], list[str]], report: Callable[[int], list[str]],
) -> None:  # fmt: skip
    """The command line of a benchmark: its tables, or, as its own child, one row or one peak."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--quick", action="store_true", help="three rounds")
    parser.add_argument("--out", type=Path, help="write the tables into this file, too")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.row or asked.peak:
        print(json.dumps(interleaved(runs(asked.row), asked.rounds) if asked.row else peak(asked.peak)))
        return
    same = agreement()
    print("\n".join(same), file=sys.stderr)
    tables = ["### Do they agree?", "", *same, "", "### Time and memory", "", *report(3 if asked.quick else asked.rounds)]
    print("\n".join(tables))
    if asked.out:
        asked.out.write_text("\n".join(tables) + "\n")
