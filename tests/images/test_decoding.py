"""What other libraries do while they decode a file."""

import logging
import warnings
from threading import Thread

import pytest

from seewhy.errors import BadImage, MissingExtra
from seewhy.images.decoding import decoding, quietly


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no header"), "a.nii cannot be read: no header"),
        (ValueError(), "a.nii cannot be read: ValueError"),
        (KeyError("pixels"), "a.nii cannot be read: KeyError: 'pixels'"),
        (MemoryError("5 GB"), "a.nii cannot be read: there is not enough memory for it. 5 GB"),
        (OSError("x" * 999), None),
    ],
)
def test_whatever_is_raised_names_the_file(error, said):
    with pytest.raises(BadImage) as caught, decoding("a.nii cannot be read"):
        raise error
    assert str(caught.value) == said or (said is None and len(str(caught.value)) < 350)
    assert caught.value.__cause__ is error


def test_an_error_that_says_enough_stays_itself():
    error = MissingExtra("pydicom", "medical")
    with pytest.raises(MissingExtra) as caught, decoding("a.dcm cannot be read"):
        raise error
    assert caught.value is error


def test_what_a_library_mutters_is_kept_out_and_the_first_remarks_are_noted(caplog):
    logger = logging.getLogger("a.decoder")
    with quietly("a.decoder") as said, warnings.catch_warnings(record=True) as warned:
        warnings.warn("odd", stacklevel=1)
        for text in ("first\x1b", "first\x1b", "second", "third", "fourth"):
            logger.warning(text)
        thread = Thread(target=logger.warning, args=("of another thread",))
        thread.start()
        thread.join()
    assert said == [r"first\x1b", "second", "third"]
    assert warned == []
    assert caplog.messages == ["of another thread"]
    logger.warning("afterwards")
    assert caplog.messages[-1] == "afterwards"
