"""written(): what models write about images; and the code of docs/vision_language.md, on a small model."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import written
from support.snippets import snippets
from support.vision_language import X, model, network, question, tokenizer

pytest.importorskip("transformers")


def test_each_image_has_its_text():
    m = model("llava", batch_size=2)
    x = np.concatenate([X, X[:, :, ::-1] * 2, X[:, :, :, ::-1] * 3])
    texts = written(m, x, longest=5)
    alone = [written(m, x[i : i + 1], longest=5)[0] for i in range(3)]
    assert [text.ids for text in texts] == [text.ids for text in alone]
    assert len({text.ids for text in texts}) > 1
    assert all(len(text.tokens) == len(text.chances) == len(text.ids) <= 5 for text in texts)
    assert written(m, X, seed=2, longest=5)[0].how == (2, 5)


def test_a_classifier_writes_nothing():
    with pytest.raises(seewhy.NotApplicable, match="writes no text about an image"):
        written(seewhy.load("demo/honest"), np.zeros((64, 64, 3), np.uint8))


def test_the_code_of_its_page_runs():
    """docs/vision_language.md"""

    def fitted(photo, return_tensors):
        small = np.asarray(photo.convert("RGB").resize((48, 48)), np.float64).transpose(2, 0, 1)
        return {"pixel_values": small[None] / 128 - 1}

    class Processor:
        image_processor = staticmethod(fitted)
        tokenizer = tokenizer()

        def __call__(self, text, images, return_tensors):
            return {**question("llava"), "pixel_values": fitted(images, "pt")["pixel_values"]}

    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    read = SimpleNamespace(pixels=photo)
    names = {name: getattr(seewhy, name) for name in seewhy.api.PUBLIC}
    given = SimpleNamespace(**{**names, "read": lambda _: read})
    space = {"seewhy": given, "network": network("llava"), "processor": Processor()}
    code = [each for each in snippets("docs/vision_language.md") if each.language == "python" and "def llava" not in each.code]
    assert code  # the rest is run by tests/cli/commands/test_written.py
    for snippet in code:
        exec(compile(snippet.code, "docs/vision_language.md", "exec"), space)
    assert space["text"].text.startswith("word")
