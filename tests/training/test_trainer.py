"""What the ranks of a run agree on after each step."""

from types import SimpleNamespace

import pytest

from tests.training.rank_threads import together
from tests.training.toy_source import toy_batch
from training.stop_request import StopRequest
from training.trainer import Run, StepReport

NAN = float("nan")


@pytest.mark.parametrize(
    ("losses", "gradient", "said"),
    [
        ((0.5, NAN), NAN, "the loss of step 3 is no number; clips of that step: clip2, clip3;"),
        ((0.5, 0.5), NAN, "the gradient of step 3 is no number; clips of that step: clip0, clip1, clip2, clip3;"),
    ],
)
def test_a_loss_that_is_no_number_is_blamed_on_the_rank_that_had_it_a_gradient_on_all(losses, gradient, said):
    """The ranks' gradients are added up: after that they are the same everywhere."""

    def agreed(own, processes):
        loss, batch = own
        return Run(SimpleNamespace(processes=processes), None, None, StopRequest())._agreed(3, StepReport(loss, gradient, False), batch)

    ends = together([(losses[0], toy_batch(2, [0, 1], 1)), (losses[1], toy_batch(2, [2, 3], 1))], agreed)
    assert all(str(end).startswith(said) for end in ends)
