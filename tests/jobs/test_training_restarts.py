"""When ranks are started again, and when not."""

import signal

import pytest

from jobs import training_restarts
from jobs.training_launch import Launch, RankLostError
from jobs.training_restarts import restarted
from schemas.errors import Interrupted, MissingError, VerificationError

TOLD = {"exit_status": 0, "first_step": 4, "steps": 6, "first_loss": 0.5, "last_loss": 0.25}


@pytest.fixture
def launches(monkeypatch):
    """Launches made, with what becomes of each in turn taken from `ends`."""
    made, ends = [], []

    def launched(how, launch, spark=None):
        made.append(launch)
        end = ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end

    monkeypatch.setattr(training_restarts, "launched", launched)
    return made, ends


def test_lost_ranks_are_started_again_from_the_newest_step_under_another_name(launches, tmp_path, capsys):
    made, ends = launches
    ends += [RankLostError("a node was lost"), RankLostError("a rank got a signal", signal.SIGTERM), TOLD]
    told = restarted(3, "local", Launch(str(tmp_path), ranks=2, resume="never"))
    assert (told["restarts"], told["steps"], told["first_step"], told["last_loss"]) == (2, 10, 4, 0.25)
    assert [launch.resume for launch in made] == ["never", "auto", "auto"]
    assert len({launch.name for launch in made}) == 3 and {launch.ranks for launch in made} == {2}
    assert "a node was lost; restart 1 of 3, from step 0" in capsys.readouterr().err


def test_after_the_last_restart_the_loss_is_told_and_a_signal_is_a_signal(launches, tmp_path):
    made, ends = launches
    ends += [RankLostError("first"), RankLostError("second")]
    with pytest.raises(RankLostError, match="second"):
        restarted(1, "local", Launch(str(tmp_path)))
    ends += [RankLostError("a rank got a signal", signal.SIGTERM)]
    with pytest.raises(Interrupted) as interrupted:
        restarted(0, "local", Launch(str(tmp_path)))
    assert interrupted.value.exit_status == 143


@pytest.mark.parametrize("error", [MissingError("no weights"), VerificationError("the loss is no number"), Interrupted(signal.SIGINT)])
def test_what_would_happen_again_is_not_tried_again(launches, tmp_path, error):
    made, ends = launches
    ends += [error]
    with pytest.raises(type(error)):
        restarted(5, "local", Launch(str(tmp_path)))
    assert len(made) == 1
