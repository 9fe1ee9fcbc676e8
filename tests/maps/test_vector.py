"""Pictures for papers: text that is text, the same pixels as the PNG, and the Source, which comes back."""

import base64
import io
import re
import sys
import xml.etree.ElementTree as ElementTree
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.errors import BadImage, MissingExtra
from seewhy.maps.made_here import made_here
from seewhy.maps.vector import source_in_pdf, source_in_svg
from seewhy.pictures.lettering import Letters

NAMESPACE = "{http://www.w3.org/2000/svg}"
LABELS = ["tabby, tabby cat", 'a <b> & "c" (d) \\ e', "Schäferhund", "虎斑猫", "x" * 300]


@pytest.fixture(params=["svg", "pdf"])
def ending(request):
    if request.param == "pdf":
        pytest.importorskip("reportlab")
    return request.param


def elements(path, name):
    return list(ElementTree.parse(path).getroot().iter(NAMESPACE + name))


def embedded(element) -> Image.Image:
    address = element.get("href")
    assert address.startswith("data:image/png;base64,")
    return Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1])))


@pytest.mark.parametrize("label", LABELS, ids=["plain", "signs", "accent", "other script", "long"])
def test_the_source_comes_back(made_heatmap, noise, tmp_path, ending, label):
    heatmap = made_heatmap([[0, 1], [2, 0]], photo=noise((300, 200)), label=label, image="dir (1)/ä.jpg")
    path = heatmap.save(tmp_path / f"map.{ending}", legend=True)
    assert seewhy.Heatmap.source_of(path) == seewhy.Source.from_json(heatmap.source.to_json())
    assert made_here(path)


@pytest.mark.parametrize("legend", [True, False])
def test_the_bytes_are_the_same_each_time(made_heatmap, noise, tmp_path, ending, legend):
    heatmap = made_heatmap([[0, 1], [-2, 0]], photo=noise((300, 200)), label="Schäferhund")
    first, second = (heatmap.save(tmp_path / f"{n}.{ending}", legend=legend).read_bytes() for n in range(2))
    assert first == second


@pytest.mark.parametrize("label", LABELS, ids=["plain", "signs", "accent", "other script", "long"])
def test_an_svg_holds_the_caption_as_text_and_the_pixels_as_they_are(made_heatmap, noise, tmp_path, label):
    heatmap = made_heatmap([[0, 1], [-2, 0]], photo=noise((300, 200)), label=label)
    path = heatmap.save(tmp_path / "map.svg", legend=True)
    said = [text.text for text in elements(path, "text")]
    caption = "".join(said[:-3]).replace(" ", "").replace("\u00a0", "")
    assert caption == heatmap.source.caption.replace(" ", "")
    assert said[-3:] == ["-2", "2", "0"]
    picture, bar = elements(path, "image")
    assert embedded(picture).tobytes() == heatmap.overlay().tobytes()
    assert float(bar.get("y")) > 200
    whole = heatmap.overlay(legend=True)
    root = ElementTree.parse(path).getroot()
    assert (int(root.get("width")), int(root.get("height"))) == whole.size
    for text in elements(path, "text"):
        assert 0 <= float(text.get("x")) <= whole.width
        assert 200 < float(text.get("y")) < whole.height


def test_an_svg_says_how_wide_text_is_where_the_fonts_hold_it(made_heatmap, tmp_path):
    path = made_heatmap([[0, 1]], (300, 20)).save(tmp_path / "map.svg", legend=True)
    first = elements(path, "text")[0]
    letters = Letters(int(first.get("font-size")))
    assert float(first.get("textLength")) == pytest.approx(letters.width(first.text), abs=0.01)


def text_of_pdf(content: bytes) -> str:
    """What the page's streams show in standard fonts."""
    shown = b""
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        try:
            plain = zlib.decompress(base64.a85decode(stream.strip().removesuffix(b"~>")))
        except (ValueError, zlib.error):
            continue
        shown += b"".join(re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", plain))
    return re.sub(rb"\\(.)", rb"\1", shown).decode("latin-1")


def test_a_pdf_holds_the_caption_as_text(made_heatmap, tmp_path):
    pytest.importorskip("reportlab")
    heatmap = made_heatmap([[0, 1], [-2, 0]], (600, 100))
    content = heatmap.save(tmp_path / "map.pdf", legend=True).read_bytes()
    assert content.startswith(b"%PDF-")
    said = text_of_pdf(content)
    assert said == heatmap.source.caption + "-220"
    assert text_of_pdf(heatmap.save(tmp_path / "b.pdf", legend=False).read_bytes()) == ""
    width, height = heatmap.overlay(legend=True).size
    box = re.search(rb"/MediaBox \[ 0 0 ([0-9.]+) ([0-9.]+) \]", content)
    assert [float(side) for side in box.groups()] == pytest.approx([0.75 * width, 0.75 * height], abs=0.01)


def test_other_pictures_and_sizes_are_saved_so_too(made_heatmap, noise, tmp_path, ending):
    heatmap = replace(made_heatmap([[0, 1], [-2, 0]], photo=noise((40, 30))), channels=np.ones((3, 5, 7), np.float32))
    for kind, how in {"grey": {"clip": 90}, "overlay": {"alpha": 0.4}, "colour": {"magnify": 3}}.items():
        path = heatmap.save(tmp_path / f"{kind}.{ending}", picture=kind, legend=True, **how)
        if ending == "svg":
            expected = heatmap.drawn(kind, **how)
            assert embedded(elements(path, "image")[0]).tobytes() == expected.tobytes()
    with pytest.raises(TypeError, match="colour"):
        heatmap.save(tmp_path / f"x.{ending}", picture="grey", colour="jet")


def test_without_reportlab_the_extra_is_named(made_heatmap, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "reportlab.pdfgen.canvas", None)
    monkeypatch.setitem(sys.modules, "reportlab.lib.utils", None)
    with pytest.raises(MissingExtra, match=r"reportlab is not installed.*\[pdf\]"):
        made_heatmap([[0, 1]]).save(tmp_path / "map.pdf")
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_carry_no_source(tmp_path, ending):
    other = tmp_path / f"other.{ending}"
    for content in (b"", b"%PDF-1.4 (seewhy) <svg><metadata>{}</metadata></svg>", b"(seewhy:)"):
        other.write_bytes(content)
        with pytest.raises(BadImage, match="carries no Source"):
            seewhy.Heatmap.source_of(other)
    for read in (source_in_svg, source_in_pdf):
        with pytest.raises(KeyError):
            read(b"anything")
