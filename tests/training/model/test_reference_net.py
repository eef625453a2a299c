"""What of ReferenceNet runs."""

import torch

from tests.training.model.golden_model import SMALL
from training.model.vexpress import VExpress


def test_what_comes_after_the_last_bank_is_not_computed() -> None:
    network = VExpress(SMALL).reference_net
    *_, before, last = network.attention_names()
    ran: set[torch.nn.Module] = set()
    for module in network.modules():
        module.register_forward_hook(lambda module, given, made: ran.add(module))
    assert last in network(torch.randn(1, 4, 8, 8))
    for name, whole in ((before, True), (last, False)):
        attention = network.get_submodule(name)
        assert {attention.block.norm1, attention.block.norm2} <= ran
        for part in (attention.block.norm3, attention.block.ff, attention.proj_out):
            assert (part in ran) == whole
    assert network.conv_out not in ran
