"""Photos are told by their suffix, sorted, and what is left out is said."""

from seewhy.photo_sets.names import hidden, is_text, photo_names


def test_photos_are_sorted_by_their_whole_names():
    found = photo_names(["b.JPG", "a/z.png", "a.webp", "a/z.png", "notes.txt", "B.jpg"])
    assert found.names == ["B.jpg", "a.webp", "a/z.png", "b.JPG"]
    assert found.remarks == []


def test_hidden_files_are_passed_over():
    assert [
        name for name in ("._a.jpg", ".a.jpg", "x/.git/a.jpg", "__MACOSX/._a.jpg", "a..jpg", "x/a.jpg") if not hidden(name)
    ] == [
        "a..jpg",
        "x/a.jpg",
    ]


def test_what_is_left_out_is_said():
    found = photo_names(["a.jpg", "scan.nii.gz", "caf\udce9.jpg"])
    assert found.names == ["a.jpg"]
    assert found.remarks[0] == "left out: 1 volume (scan.nii.gz): seewhy explain reads these"
    assert found.remarks[1].endswith("their names are no text (UTF-8): rename them")
    assert found.remarks[1].isprintable()
    assert not is_text("caf\udce9.jpg")
