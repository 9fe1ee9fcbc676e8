"""`seewhy detections`: what a detector sees, each as a target of `seewhy explain`."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from seewhy.cli.app import main
from support import detectors as nets
from support.detectors import scene


def test_the_command_lists_and_explains_them(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(Path(nets.__file__).parents[1])!r})\n"
    code += "from support.detectors import Blobs, KINDS\n"
    as_it_is = "{'size': None, 'crop': None, 'mean': 0.0, 'std': 1.0}"
    code += f"import seewhy\nnet = seewhy.wrap(Blobs(), labels=KINDS, prepare={as_it_is})\n"
    (tmp_path / "net.py").write_text(code)
    Image.fromarray((np.moveaxis(scene()[0], 0, -1) * 255).astype(np.uint8)).save(tmp_path / "photo.png")
    asked = ["detections", str(tmp_path / "photo.png"), "--model", f"{tmp_path / 'net.py'}:net"]
    told = CliRunner().invoke(main, asked, catch_exceptions=False)
    rows = [" ".join(row.split()) for row in told.output.splitlines()]
    assert rows[0] == "target score box (x0 y0 x1 y1)"
    assert rows[1:] == ["box:red:0 0.898 4 4 8 8", "box:green:0 0.800 20 0 24 4", "box:red:1 0.600 16 8 20 12"]
    few = CliRunner().invoke(main, [*asked, "--count", "1"], catch_exceptions=False)
    assert "2 weaker ones" in few.output
    lines = CliRunner().invoke(main, [*asked, "--json"], catch_exceptions=False).output.splitlines()
    facts = {"label": "red", "index": 1, "score": pytest.approx(0.6), "box": [16, 8, 20, 12], "target": "box:red:1"}
    assert json.loads(lines[2]) == facts
    explained = CliRunner().invoke(
        main,
        ["explain", *asked[1:], "--method", "gradient", "--target", "box:red:1", "--out", str(tmp_path), "--json"],
        catch_exceptions=False,
    )
    assert explained.exit_code == 0, explained.output
    assert json.loads(explained.output.splitlines()[-1])["target"] == "box:red:16,8,20,12"
