"""Which models can be written as graphs."""

import seewhy
from seewhy.models.graph import Exportable
from support import networks


def test_a_network_of_torch_can_and_a_function_and_a_sealed_program_cannot():
    assert isinstance(seewhy.wrap(networks.pooled()), Exportable)
    assert not isinstance(seewhy.wrap(lambda x: x.mean((1, 2)), takes="uint8"), Exportable)
