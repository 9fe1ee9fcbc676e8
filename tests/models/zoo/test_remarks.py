"""What libraries write to stderr from outside of Python."""

import os

import pytest

from seewhy.models.zoo.remarks import without_remarks


def test_remarks_are_not_written_and_all_that_follows_is(capfd):
    with pytest.raises(ValueError, match="wrong"), without_remarks():  # noqa: PT012 - it is the block that is tested
        os.write(2, b"INFO: kernels\n")
        raise ValueError("wrong")
    os.write(2, b"seewhy: wrong\n")
    assert capfd.readouterr().err == "seewhy: wrong\n"
