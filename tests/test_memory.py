"""Memory that runs out: said as such at every stage, with what to lower, whatever words it came in."""

import errno
import subprocess
import sys

import numpy as np
import pytest
import torch

import seewhy
from seewhy.memory import out_of_memory
from support import networks

X = networks.images(1, 16, 16, seed=3).astype(np.float32)


def of_numpy() -> MemoryError:
    """numpy's own, which lies elsewhere in every version: more than any machine can address."""
    with pytest.raises(MemoryError) as caught:
        np.empty((10**9, 10**6))
    return caught.value


WORDS = {
    "python": MemoryError(),
    "numpy": of_numpy(),
    "torch": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB."),
    "cpu": RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
                        "to allocate 17179869184 bytes. Error code 12 (Cannot allocate memory)"),
    "windows": RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1024 bytes."),
    "c++": RuntimeError("std::bad_alloc"),
    "onednn": RuntimeError("could not create a primitive"),
    "cublas": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "loader": ImportError("libtorch_cpu.so: failed to map segment: Cannot allocate memory"),
    "system": OSError(errno.ENOMEM, "Cannot allocate memory"),
}  # fmt: skip


@pytest.mark.parametrize("by", WORDS)
def test_it_is_known_by_whoever_says_so(by):
    assert out_of_memory(WORDS[by])


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes do not match"), ValueError("out of memory"), OSError(2, "no such file")]
)
def test_what_is_none_of_it(error):
    assert not out_of_memory(error)


def hungry(by):
    """A network on which memory runs out."""
    network = networks.pooled().float()
    network.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(WORDS[by]))
    return seewhy.wrap(network, name="hungry")


RAISED = [by for by in WORDS if by not in ("loader", "system")]


@pytest.mark.parametrize("by", RAISED)
def test_at_the_first_look(by):
    with pytest.raises(
        seewhy.OutOfMemory, match=r"^Out of memory at the first look at hungry, for images of \(3, 16, 16\)"
    ) as caught:
        seewhy.grad_cam(hungry(by), X)
    assert isinstance(caught.value, MemoryError)
    assert "--tile" in str(caught.value)
    assert "--layer" in str(caught.value)


@pytest.mark.parametrize("by", RAISED)
@pytest.mark.parametrize("name", ["grad-cam", "occlusion", "gradient"])
def test_at_the_map(by, name):
    layer = "act1" if seewhy.METHODS[name].layered else None
    with pytest.raises(
        seewhy.OutOfMemory, match=rf"^Out of memory with one image of \(3, 16, 16\), asked for {name} of"
    ) as caught:
        seewhy.METHODS[name](hungry(by), X, target=1, layer=layer)
    assert "Lower batch_size= (--batch-size)" in str(caught.value)
    assert ("16.0 GiB more were asked for" in str(caught.value)) == (by == "cpu")


@pytest.mark.parametrize("by", WORDS)
def test_of_a_function(by):
    def function(x):
        raise WORDS[by]

    with pytest.raises(seewhy.OutOfMemory, match="Out of memory with one image"):
        seewhy.rise(seewhy.wrap(function, takes="float"), X)


@pytest.mark.parametrize("by", WORDS)
def test_at_loading(by, monkeypatch, tmp_path):
    def short(*_):
        raise WORDS[by]

    monkeypatch.setattr("seewhy.models.zoo.code.code_network", short)
    with pytest.raises(seewhy.OutOfMemory, match=r"^Out of memory while .*net.py:net was loaded") as caught:
        seewhy.load(f"{tmp_path}/net.py:net")
    assert "smaller network" in str(caught.value)


SCRIPT = """
import gc, resource, sys
import torch, numpy as np
from PIL import Image
from seewhy.cli.app import main
torch.set_num_threads(1)
path = sys.argv[1]
Image.fromarray(np.zeros((2000, 2000, 3), np.uint8)).save(path + "/large.png")
with open(path + "/net.py", "w") as file:
    file.write('''
import torch
def small():
    pool, flat, fc = torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 5)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), pool, flat, fc)
def vast():
    return torch.nn.Linear(40000, 40000)
''')
def explain(*more):
    try:
        main(["explain", path + "/large.png", "--out", path + "/out", *more])
    except SystemExit as end:
        print("exit code", end.code, file=sys.stderr)
    gc.collect()
small = ["--model", path + "/net.py:small", "--prepare"]
explain(*small, "size=64", "--prepare", "crop=64")  # what is imported on the way is in memory
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29,) * 2)
explain("--model", path + "/net.py:vast")
explain(*small, "size=2000", "--prepare", "crop=2000")
explain(*small, "size=2000", "--prepare", "crop=2000", "--layer", "0")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_on_the_command_line(tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    _, said = done.stderr.split("exit code 0\n")
    *runs, rest = said.split("exit code 1\n")
    assert rest == "", done.stderr
    expected = ["Out of memory while", "Out of memory at the first look", "Out of memory with one image"]
    for said, wanted in zip(runs, expected, strict=True):
        lines = [line for line in said.splitlines() if "emory" in line]
        assert lines, said
        assert wanted in lines[0], said


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_a_process_that_keeps_what_it_freed_gets_it_again_without_the_system() -> None:
    code = (
        "import sys, resource, numpy as np\n"
        "from seewhy.memory import keep_freed\n"
        "keep_freed() if sys.argv[1] == 'kept' else None\n"
        "def work():\n"
        "    x = [np.full(2**21, 1.0, np.float32) for _ in range(4)]\n"  # 8 MiB each, as much as a layer emits
        "work()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(5): work()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )
    usual, kept = (
        int(subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True).stdout)
        for how in ("usual", "kept")
    )
    assert kept < 100 < usual
