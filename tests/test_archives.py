"""Whatever is wrong with an archive, reading it raises what is foreseen."""

from io import BytesIO

import numpy as np

from seewhy.archives import DAMAGED


def test_damaged_archives_raise_nothing_else():
    file = BytesIO()
    np.savez_compressed(file, one=np.arange(200) ** 2, two=np.array("text"))
    whole, rng, kinds = file.getvalue(), np.random.default_rng(0), set[str]()
    for at in range(len(whole)):  # each of its bytes changed in turn
        odd = bytearray(whole)
        odd[at] ^= int(rng.integers(1, 256))
        try:
            with np.load(BytesIO(bytes(odd)), allow_pickle=False) as arrays:
                for name in arrays.files:
                    arrays[name]
        except DAMAGED as error:
            kinds.add(type(error).__name__)
    assert kinds >= {"BadZipFile", "NotImplementedError", "error"}
