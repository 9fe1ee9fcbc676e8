"""Networks that write about images, as transformers saved them: captioners are loaded, those that are asked say how to."""

import json

import numpy as np
import pytest
import transformers as T
from PIL import Image

import seewhy
from seewhy.errors import BadNetwork
from support.vision_language import network, tokenizer

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))
SIDES = {"height": 48, "width": 48}


def saved(folder, name):
    """The folder of a small one, with its tokenizer and processor; and the network."""
    made = network(name).float()
    made.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    T.ViTImageProcessor(size=SIDES).save_pretrained(folder)
    return made


@pytest.mark.parametrize("name", ["blip", "captioner"])
def test_a_captioner_writes_what_it_writes_where_it_is_wrapped(tmp_path, name):
    made = saved(tmp_path, name)
    model = seewhy.load(str(tmp_path))
    wrapped = seewhy.wrap(made, model.prepare, inputs={"pixel_values": seewhy.IMAGE}, tokenizer=tokenizer())
    (ours,), (theirs,) = (seewhy.written(each, PHOTO, longest=4) for each in (model, wrapped))
    assert (ours.text, ours.tokens, ours.ids) == (theirs.text, theirs.tokens, theirs.ids)
    np.testing.assert_array_equal(ours.chances, theirs.chances)
    found, same = (seewhy.gradient(each, PHOTO, target="token:0|longest=4")[0] for each in (model, wrapped))
    np.testing.assert_allclose(found.values, same.values, rtol=1e-5, atol=1e-8)
    assert found.source.recipe == {"spec": str(tmp_path)}
    with pytest.raises(BadNetwork, match='It writes text about an image: explain a word of that, target="token:WORD"'):
        seewhy.gradient(model, PHOTO)


def test_how_it_is_to_write_stands_beside_the_weights(tmp_path):
    """In generation_config.json, which is no part of config.json."""
    saved(tmp_path, "captioner")
    (whole,) = seewhy.written(seewhy.load(str(tmp_path)), PHOTO, longest=6)
    settings = json.loads((tmp_path / "generation_config.json").read_text())
    (tmp_path / "generation_config.json").write_text(json.dumps({**settings, "suppress_tokens": [whole.ids[0]]}))
    (other,) = seewhy.written(seewhy.load(str(tmp_path)), PHOTO, longest=6)
    assert whole.ids[0] not in other.ids
    assert other.chances[0] < whole.chances[0]


@pytest.mark.parametrize("name", ["llava", "paligemma"])
def test_what_is_asked_in_words_says_how(tmp_path, name):
    saved(tmp_path, name)
    with pytest.raises(BadNetwork, match=r"a name says no question.*inputs=\{\*\*processor.*vision_language.md.*load\('net.py"):
        seewhy.load(str(tmp_path))
