"""What docs/export.md says one can do with a file, done."""

import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

import seewhy
from support.ask import close

DOCS = Path(__file__).parents[2] / "docs" / "export.md"


def test_the_code_of_the_docs_runs_and_gives_what_the_library_gives(red_model, noise, tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.S)
    monkeypatch.chdir(tmp_path)
    photo = noise((150, 90))
    photo.paste((255, 0, 0), (60, 20, 100, 50))
    photo.save("dog.jpg", quality=95)
    seewhy.export(red_model, "explained.onnx", "grad-cam", images=["dog.jpg"])
    ran: dict = {}
    exec(compile(code, str(DOCS), "exec"), ran)
    (batch,) = red_model.batches("dog.jpg")
    np.testing.assert_allclose(ran["x"], batch.x[0], atol=1e-6)
    (heatmap,) = seewhy.grad_cam(red_model, "dog.jpg")
    close(ran["maps"][0], heatmap.values, rel=1e-5)
    assert ran["facts"]["labels"] == ["red", "not red", "neither"]
    assert capsys.readouterr().out.startswith("red ")
    square = Image.open("dog.jpg").resize((64, 64))  # so that what the network sees is all of the photo
    (whole,) = seewhy.grad_cam(red_model, square)
    close(ran["enlarged"](whole.values, ran["facts"]["maps"]["centres"], (64, 64)), whole.full(), rel=1e-4)
    drawn, seen = (
        np.asarray(each, float) for each in (Image.open("why.png"), ran["prepared"](ran["photo"], **ran["facts"]["prepare"])[0])
    )
    share = np.floor(170 * ran["heat"])[..., None] / 255
    assert share.max() == 170 / 255
    np.testing.assert_allclose(drawn, share * np.array([255, 0, 0]) + (1 - share) * seen, atol=1.5)
    assert json.dumps(ran["facts"])
