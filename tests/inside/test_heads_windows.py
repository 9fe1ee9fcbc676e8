"""attention() in windows and in parts of videos: what the library itself gives, put in its place by hand; patches that move."""

from functools import cache

import numpy as np
import pytest
import torch

import seewhy
from seewhy import attention
from support.ask import close
from support.families import ALL

transformers = pytest.importorskip("transformers")
RNG = np.random.default_rng(0)


def window_of(at, shift, window, grid):
    """The cells that the cell `at` may look at: those of its window in the map rolled by -shift, without those that came in
    from the other border, which are masked.
    """
    axes = []
    for place, moved, side, count in zip(at, shift, window, grid, strict=True):
        first = (place - moved) % count // side * side
        seen = [(rolled + moved) % count for rolled in range(first, first + side)]
        axes.append([cell for cell in seen if abs(cell - place) < side])
    return {cell for cell in np.ndindex(*grid) if all(one in axis for one, axis in zip(cell, axes, strict=True))}


def seen_in(found):
    return {tuple(cell) for cell in np.argwhere(found.values > 1e-12).tolist()}


def test_each_row_of_swin_is_that_of_the_library():
    """Of transformers, whose output_attentions has windows in the order in which they are cut, (windows, heads, 16, 16)."""
    made, x = ALL["hf swin"].network(), ALL["hf swin"].images(1)
    layers = [made.swin.encoder.layers[stage].blocks[block].attention for stage in (0, 1) for block in (0, 1)]
    given = {}
    hooks = [layer.register_forward_hook(lambda of, _a, out: given.update({of: out[1].numpy()})) for layer in layers]
    made.set_attn_implementation("eager")
    with torch.no_grad():
        made(torch.as_tensor(x), output_attentions=True)
    for hook in hooks:
        hook.remove()
    model = seewhy.wrap(made)
    for layer, side, shift, at in zip(layers, (16, 16, 8, 8), (0, 2, 0, 2), ((1, 5), (0, 0), (7, 2), (7, 7)), strict=True):
        rolled = [(place - shift) % side for place in at]
        number = rolled[0] // 4 * (side // 4) + rolled[1] // 4
        row = given[layer][number, 1, rolled[0] % 4 * 4 + rolled[1] % 4]
        expected = np.zeros((side, side))
        for i, weight in enumerate(row):
            key = (rolled[0] // 4 * 4 + i // 4, rolled[1] // 4 * 4 + i % 4)
            expected[(key[0] + shift) % side, (key[1] + shift) % side] = weight
        name = next(name for name, module in made.named_modules() if module is layer)
        (found,) = attention(model, x, name, 1, at[0] * side + at[1])
        close(found.values, expected, 1e-6)


SWINS = {"timm swinv2": "layers.0.blocks", "torchvision swin": "features.1", "torchvision swin_v2": "features.1"}


@pytest.mark.parametrize("name", SWINS)
def test_a_patch_whose_pixels_change_is_where_the_weights_do(name):
    """In the first block tokens saw one patch each: where another patch than the query's changes, its weight alone does, as
    compared with the others in its window; a patch in another window changes nothing.  The second block's windows are moved.
    """
    model, x, grid = seewhy.wrap(ALL[name].network()), ALL[name].images(1), (16, 24)
    asked = {"layer": f"{SWINS[name]}.0", "head": 0, "query": 5 * 24 + 9}  # in the window of rows 4 to 7, columns 8 to 11
    before = attention(model, x, **asked)[0].values
    assert seen_in(attention(model, x, **asked)[0]) == window_of((5, 9), (0, 0), (4, 4), grid)
    for row, column in ((4, 8), (7, 10), (8, 9)):
        other = x.copy()
        other[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = RNG.normal(size=(1, 3, 4, 4))
        ratio = attention(model, other, **asked)[0].values[before > 0] / before[before > 0]
        moved = abs(ratio / np.median(ratio) - 1) > 1e-6
        where = [tuple(at) for at in np.argwhere(before > 0)[moved]]
        assert where == [(row, column)] * ((row, column) != (8, 9))
    for at in ((5, 9), (0, 1), (15, 23)):
        (found,) = attention(model, x, f"{SWINS[name]}.1", 0, at[0] * 24 + at[1])
        assert seen_in(found) == window_of(at, (2, 2), (4, 4), grid)


@cache
def video_swin():
    from torchvision.models.video.swin_transformer import SwinTransformer3d

    sides = {"patch_size": [2, 4, 4], "window_size": [2, 4, 4], "embed_dim": 12, "depths": [2], "num_heads": [2]}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SwinTransformer3d(**sides, num_classes=3).double().eval()


def test_windows_of_videos_lie_in_time_and_space():
    """8 frames of 32 x 48 are 4 x 8 x 12 patches; a query is the number of its patch, frame by frame, row by row."""
    model, x, grid = seewhy.wrap(video_swin()), RNG.normal(size=(1, 3, 8, 32, 48)), (4, 8, 12)
    for block, shift in enumerate(((0, 0, 0), (1, 2, 2))):
        for at in ((0, 1, 1), (2, 0, 8), (3, 7, 11)):
            (found,) = attention(model, x, f"features.0.{block}", 0, int(np.ravel_multi_index(at, grid)))
            assert found.values.shape == grid
            assert found.values.sum() == pytest.approx(1, abs=1e-6)
            assert seen_in(found) == window_of(at, shift, (2, 4, 4), grid)
    asked = {"layer": "features.0.0", "head": 1, "query": int(np.ravel_multi_index((2, 5, 9), grid))}
    before = attention(model, x, **asked)[0].values
    other = x.copy()
    other[:, :, 6:8, 16:20, 44:48] *= -1  # the patch (3, 4, 11), which is in the same window
    ratio = attention(model, other, **asked)[0].values[before > 0] / before[before > 0]
    moved = abs(ratio / np.median(ratio) - 1) > 1e-6
    assert np.argwhere(before > 0)[moved].tolist() == [[3, 4, 11]]


@cache
def timesformer():
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.TimesformerConfig(**small, image_size=16, patch_size=4, num_frames=4, num_labels=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = transformers.TimesformerForVideoClassification(config)
        for p in made.parameters():
            if p.ndim > 1:
                p.data.normal_(std=0.3)
    return made.double().eval()


def test_a_patch_looks_along_time():
    """TimeSformer: its row holds the same patch of each frame, and nothing else; the weights are those of its own numbers."""
    made, x = timesformer(), RNG.normal(size=(1, 4, 3, 16, 16))
    inner, given = made.timesformer.encoder.layer[1].temporal_attention.attention, []
    hook = inner.register_forward_hook(lambda _m, args, _o: given.append(args[0]))
    with torch.no_grad():
        made(torch.as_tensor(x))
        hook.remove()
        q, k, _ = inner.qkv(given[0]).reshape(16, 4, 3, 2, 8).permute(2, 0, 3, 1, 4)  # of each patch, head and frame
        weights = (q @ k.mT / 8**0.5).softmax(-1).numpy()
    model = seewhy.wrap(made)
    for frame, row, column in ((0, 0, 0), (1, 2, 3), (3, 3, 1)):
        expected = np.zeros((4, 4, 4))
        expected[:, row, column] = weights[row * 4 + column, 1, frame]
        number = frame * 16 + row * 4 + column
        (found,) = attention(model, x, "timesformer.encoder.layer.1.temporal_attention", 1, number)
        close(found.values, expected, 1e-6)


def test_what_is_said_of_attention_in_frames_that_share_a_class_token():
    made, x = timesformer(), RNG.normal(size=(1, 4, 3, 16, 16))
    why = "its windows overlap: a token is the sum of what several windows make of it: there is no map of it to draw"
    with pytest.raises(seewhy.NotApplicable, match=f"timesformer.encoder.layer.0.attention.attention: {why}"):
        attention(seewhy.wrap(made), x, "timesformer.encoder.layer.0.attention")
    with pytest.raises(seewhy.NotApplicable, match="Only a patch of a photo can be pointed at by its pixel"):
        attention(seewhy.wrap(made), x, "timesformer.encoder.layer.0", query=(4, 4))
