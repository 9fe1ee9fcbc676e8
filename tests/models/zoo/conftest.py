"""Files and folders of models that several tests of the sources load."""

import os
import socket
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from support.files.hostile import FILES


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """The bytes of a hostile file, made once, and what exists once any of its code ran."""
    mark, made = tmp_path_factory.mktemp("hostile") / "sprung", {}

    def give(kind: str) -> tuple[bytes, Path]:
        if kind not in made:
            made[kind] = FILES[kind](mark)
            mark.unlink(missing_ok=True)  # a script that is saved may run, too
        return made[kind], mark

    return give


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A kind of network and its processor, saved once."""
    from support.model_folders import build  # transformers takes seconds to import

    made = {}

    def save(kind: str):
        if kind not in made:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                network, processor = build(kind)
            folder = tmp_path_factory.mktemp("hf") / kind.replace(" ", "-")
            network.save_pretrained(folder)
            processor.save_pretrained(folder)
            made[kind] = folder, network.eval(), processor
        return made[kind]

    return save


@pytest.fixture(autouse=True)
def unplugged(monkeypatch):
    """Nobody may try to reach anything."""

    def refuse(*address, **how):
        raise AssertionError(f"reached for {address}")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def tensorflow():
    if find_spec("tensorflow") is None:
        pytest.skip("needs TensorFlow (make test-frameworks)")
    if os.environ.get("KERAS_BACKEND") == "torch":
        pytest.skip("TensorFlow imports Keras, and Keras on torch ends the process there (make test-frameworks)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, as it is imported
        return import_module("tensorflow")
