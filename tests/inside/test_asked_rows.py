"""attention() of queries that are no patches: words that the network wrote, objects of a detector, probes that pool."""

import numpy as np
import pytest
import torch

import seewhy
from seewhy import attention
from support.ask import close
from support.detectors import picture, queries
from support.families import ALL
from support.vision_language import IMAGE, X, model, network, question

pytest.importorskip("transformers")


def read_with_attention(name, made, written, x=X):
    """What the library itself gives for the whole text: attention among words, and of words over the image."""
    options = {**question(name), "pixel_values": torch.as_tensor(x), "output_attentions": True}
    text = torch.tensor([[*written.given, *written.ids[:-1]]])
    options["decoder_input_ids" if name == "captioner" else "input_ids"] = text
    if name == "paligemma":
        more = torch.ones(1, text.shape[1] - 13, dtype=torch.long)
        options["token_type_ids"] = torch.cat([options["token_type_ids"], more], 1)
    if "attention_mask" in options:
        options["attention_mask"] = torch.ones_like(text)
    made.set_attn_implementation("eager")
    with torch.no_grad():
        out = made(**options)
    return [a[0].numpy() for a in (out.cross_attentions if name == "captioner" else out.attentions)]


def written_by(m):
    return m.aimed([seewhy.Token(0, longest=5)], X, seewhy.targets.aim.ImageView((48, 48), None, None, None))[1][0].written


@pytest.mark.parametrize("name", ["llava", "paligemma", "captioner"])
def test_rows_of_each_word_are_those_of_the_library(name):
    made = network(name)
    m = model(name, made)
    written = written_by(m)
    found = [attention(m, X, query=seewhy.Token(i, longest=5)) for i in range(3)]
    ids = torch.tensor([*written.given, *written.ids[:-1]])
    patches = (ids == IMAGE).nonzero()[:, 0].numpy() if name != "captioner" else np.arange(1, 10)  # behind the class token
    for i, maps in enumerate(found):
        own = read_with_attention(name, made, written)
        assert len(maps) == len(own) * own[0].shape[0]
        for m_, (layer, head) in zip(maps, np.ndindex(len(own), len(own[0])), strict=True):
            row = own[layer][head, len(written.given) - 1 + i]
            close(m_.values, row[patches].reshape(3, 3), 1e-6)
            assert m_.source.measured["dropped"] == pytest.approx(1 - row[patches].sum(), abs=1e-6)
            assert m_.source.params == {"head": head, "query": f"token:{i}|longest=5"}
            assert m_.source.written["explained"] == (i,)
    assert found[1][0].source.caption.startswith(f"attention of head 0 of the word '{found[1][0].source.label}' (")


def test_blip_looks_at_the_image_between_its_words():
    """BLIP gives no attention of words over the image, so its rows are computed again, from what its layers are given."""
    made = network("blip")
    m = model("blip", made)
    written = written_by(m)
    cross, given = made.text_decoder.bert.encoder.layer[1].crossattention.self, []
    hook = cross.register_forward_hook(lambda _m, args, kwargs, _o: given.append((args, kwargs)), with_kwargs=True)
    with torch.no_grad():
        made(input_ids=torch.tensor([[*written.given, *written.ids[:-1]]]), pixel_values=torch.as_tensor(X))
        hook.remove()
        (args, kwargs) = given[0]
        words = args[0] if args else kwargs["hidden_states"]
        seen = next(t for t in [*args[1:], *kwargs.values()] if isinstance(t, torch.Tensor) and t.shape == (1, 10, 16))
        heads = lambda a: a.reshape(len(a[0]), 2, 8).swapaxes(0, 1)  # noqa: E731
        weights = (heads(cross.query(words)) @ heads(cross.key(seen)).mT / 8**0.5).softmax(-1)
    (found,) = attention(m, X, "text_decoder.bert.encoder.layer.1", 1, query=seewhy.Token(2, longest=5))
    close(found.values, weights[1, len(written.given) - 1 + 2, 1:].numpy().reshape(3, 3), 1e-6)


def test_each_word_of_a_text_that_is_matched_with_an_image():
    """BLIP's image-text matching: the rows of its words, computed again from what the layer is given. What goes to the
    class token is dropped; attention among words shows nothing of the image.
    """
    made, ids = network("blip matching"), torch.tensor([[1, 5, 6, 7, 2]])
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    m = seewhy.wrap(made, inputs={**given, "pixel_values": seewhy.IMAGE}, output="itm_score", labels=["other", "match"])
    cross, seen = made.text_encoder.encoder.layer[1].crossattention.self, []
    hook = cross.register_forward_hook(lambda _m, args, kwargs, _o: seen.append([*args, *kwargs.values()]), with_kwargs=True)
    with torch.no_grad():
        made(**given, pixel_values=torch.as_tensor(X))
        hook.remove()
        words, image = (next(t for t in seen[0] if isinstance(t, torch.Tensor) and t.shape == (1, n, 16)) for n in (5, 10))
        heads = lambda a: a.reshape(len(a[0]), 2, 8).swapaxes(0, 1)  # noqa: E731
        weights = (heads(cross.query(words)) @ heads(cross.key(image)).mT / 8**0.5).softmax(-1).numpy()
    for word, head in np.ndindex(5, 2):
        (found,) = attention(m, X, "text_encoder.encoder.layer.1", head, query=word)
        close(found.values, weights[head, word, 1:].reshape(3, 3), 1e-6)
        assert found.source.measured["dropped"] == pytest.approx(weights[head, word, 0], abs=1e-6)
    with pytest.raises(seewhy.NotApplicable, match="5 queries that are no tokens of the image look there: ask for one by its"):
        attention(m, X, "text_encoder.encoder.layer.1.crossattention")
    with pytest.raises(seewhy.NotApplicable, match="neither its queries nor its keys are patches"):
        attention(m, X, "text_encoder.encoder.layer.1.attention", query=2)


def test_the_place_of_a_patch_is_where_pixels_move_it():
    """Of a network whose image tokens saw one patch each: other pixels in a patch change, in the first layer, its own weight
    alone, as compared with those of all other patches.
    """
    made = network("one-layer llava")
    m = model("one-layer llava", made)
    asked = {"layer": "model.language_model.layers.0", "head": 2, "query": seewhy.Token(0, longest=3)}
    before = attention(m, X, **asked)[0].values
    for row, column in ((0, 0), (1, 2), (2, 1)):
        other = X.copy()
        other[:, :, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] *= -1
        ratio = attention(m, other, **asked)[0].values / before
        usual = np.median(ratio)
        assert [tuple(at) for at in np.argwhere(abs(ratio / usual - 1) > 1e-3)] == [(row, column)]


def test_layers_that_hold_no_words_say_so():
    m = model("llava")
    with pytest.raises(seewhy.NotApplicable, match=r"vision_tower.encoder.layers.0.self_attn: its queries are not the words"):
        attention(m, X, "model.vision_tower", 0, query="token:0|longest=3")
    with pytest.raises(seewhy.NotApplicable, match="no attention has a row of its own for that"):
        attention(m, X, query=seewhy.Similar([1.0]))


def test_an_object_looks_where_its_query_does():
    network, x = queries("detr"), picture(96, 128)
    m = seewhy.wrap(network)
    network.set_attn_implementation("eager")
    with torch.no_grad():
        out = network(torch.as_tensor(x), output_attentions=True)
    for rank in range(2):
        detection = seewhy.detections(m, x)[0][rank]
        maps = attention(m, x, None, "mean", query=seewhy.Box(detection.label, detection.index))
        chances = out.logits.softmax(-1)[0, :, :-1].amax(-1).sort(descending=True, stable=True).indices
        q = int(chances[rank])
        assert len(maps) == len(out.cross_attentions)
        for found, own in zip(maps, out.cross_attentions, strict=True):
            close(found.values, own[0].mean(0)[q].numpy().reshape(found.values.shape), 1e-6)
        source = maps[0].source
        assert source.label == detection.label or source.label is None
        assert source.probability == pytest.approx(detection.score)
        assert "in the box (" in source.caption
        assert source.index is None


def test_a_probe_that_pools_is_what_the_head_reads():
    name = "timm vit, attention pooling"
    seen = []
    network = ALL[name].network()
    hook = network.attn_pool.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    with torch.no_grad():
        network(torch.as_tensor(ALL[name].images(2)))
    hook.remove()
    pool = network.attn_pool
    with torch.no_grad():
        heads = lambda a: a.reshape(len(a), -1, pool.num_heads, pool.head_dim).swapaxes(1, 2)  # noqa: E731
        q, k = heads(pool.q(pool.latent)), heads(pool.kv(seen[0])[..., : pool.num_heads * pool.head_dim])
        own = (q @ k.mT * pool.scale).softmax(-1).numpy()  # (n, heads, 1, keys)
    maps = attention(seewhy.wrap(network), ALL[name].images(2), "attn_pool")
    assert len(maps) == 2 * pool.num_heads
    for found in maps:
        grid = found.values.shape
        close(found.values, own[found.place, found.source.params["head"], 0, -grid[0] * grid[1] :].reshape(grid), 1e-6)
    (by_number, *_) = attention(seewhy.wrap(network), ALL[name].images(1), "attn_pool", 0, query=0)
    close(by_number.values, maps[0].values)
