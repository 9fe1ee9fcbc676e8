"""Settings of folders that are laid out for timm: what makes no network, or no preparation, is said at once."""

import json

import pytest
import torch

from seewhy import load
from seewhy.errors import BadParameter, BadWeights

timm = pytest.importorskip("timm")
SAID = {
    "a photo of a milliard": ({"pretrained_cfg": {"input_size": [3, 10**9, 10**9]}}, "input_size is .* more than 20000"),
    "an image of a milliard": ({"model_args": {"img_size": 10**9}}, "img_size is 1000000000 .* more than 20000"),
    "ten million layers": ({"model_args": {"layers": [10**7, 2, 2, 2]}}, "layers is .* more than 2000"),
    "a size that is text": ({"pretrained_cfg": {"input_size": "abc"}}, "cannot be made|prepare a photo"),
    "a size of one number": ({"pretrained_cfg": {"input_size": [3]}}, "cannot be made|prepare a photo"),
    "a part that is no number": ({"pretrained_cfg": {"crop_pct": float("nan")}}, "prepare a photo"),
    "a layer that is none": ({"model_args": {"act_layer": "os.system"}}, r"cannot be made with .*KeyError: 'os\.system'"),
    "a long word": ({"model_args": {"global_pool": "x" * 10**5}}, "cannot be made with .*cut"),
}


@pytest.mark.parametrize("kind", SAID)
def test_settings_that_make_no_network_are_said_at_once(tmp_path, kind):
    more, said = SAID[kind]
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet10t", "num_classes": 3, **more}))
    network = timm.create_model("resnet10t", num_classes=3)
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises((BadWeights, BadParameter), match=said) as caught:
        load(str(tmp_path))
    assert len(str(caught.value)) < 1500
