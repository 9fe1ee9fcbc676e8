"""Threads that explain a network at once, and a network that other threads may change meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor

from torch import nn

import seewhy

WAIT = 60  # seconds that a thread waits for another at most


class Dropping(nn.Module):
    """Convolutions, BatchNorm and dropout."""

    def __init__(self):
        super().__init__()
        first, second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3)
        self.body = nn.Sequential(first, nn.BatchNorm2d(8), nn.ReLU(), second, nn.BatchNorm2d(8))
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.drop(self.body(x).relu().mean((2, 3))))


def together(*works):
    """Run at once, each in a thread; what they return, in order."""
    start = threading.Barrier(len(works))
    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result(WAIT) for done in [pool.submit(lambda w=w: (start.wait(WAIT), w())[1]) for w in works]]


class Beside:
    """Explains again and again in another thread, as long as the block runs."""

    def __init__(self, ask):
        self.ask, self.stop, self.count, self.refused = ask, threading.Event(), 0, []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.is_set():
            try:
                self.ask()
                self.count += 1
            except seewhy.BadNetwork as error:
                self.refused.append(str(error))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(WAIT)
        assert not self.thread.is_alive()
