"""One confusion matrix, by hand: of maps that people gave, and of those that a network learned."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.truth.confusion import class_iou, confusion


def test_by_hand():
    true, said = np.array([[0, 0, 1, 1], [2, 2, 255, 255]]), np.array([[0, 1, 1, 255], [2, 0, 0, 1]])
    found = confusion(said, true, 3)
    assert found.tolist() == [[1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 1, 0]]  # rows true, columns said, the last none of them
    assert class_iou(found.diagonal(), found[:, :-1].sum(0), found.sum(1)).tolist() == [1 / 3, 1 / 3, 1 / 2]


def test_what_does_not_fit_is_refused():
    with pytest.raises(BadParameter, match=r"\(1, 2\), the true ones \(2, 1\)"):
        confusion(np.zeros((1, 2)), np.zeros((2, 1)), 2)
    with pytest.raises(BadParameter, match=r"predicted labels hold \[7\]. There are classes 0 to 1; 255 is void"):
        confusion(np.array([7, 1]), np.array([0, 1]), 2)
    with pytest.raises(BadParameter, match=r"true labels hold \[-1\]"):
        confusion(np.array([0, 1]), np.array([-1, 1]), 2)
    for probable in (np.array([0.7, 0.2]), np.array([np.nan, 1])):
        with pytest.raises(BadParameter, match="predicted labels are no whole numbers"):
            confusion(probable, np.array([0, 1]), 2)
    with pytest.raises(BadParameter, match="true labels are no whole numbers"):
        confusion(np.array([0, 1]), np.array([0.5, 1]), 2)
