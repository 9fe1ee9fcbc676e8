"""Time and memory, measured so that neighbours disturb little: interleaved runs, medians, each row in its own process."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
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
