"""`talkvid run` hands its words on to the verbs that it is made of."""

import pytest

from jobs.arguments import verb_parser
from jobs.run import JOB, configure, steps
from jobs.score import ScoreConfig
from schemas.errors import UsageError


def scoring(*words: str) -> ScoreConfig:
    """The configuration of the step `score`."""
    line = steps(configure(verb_parser(JOB).parse_args(["clips", *words])))
    return next(config for job, config in line if job.verb == "score")


def test_words_of_scoring_reach_it():
    words = ["--scorers", "head,cotracker", "--cascade", "talkvid", "--dtype", "bfloat16", "--device", "cpu"]
    found = scoring(*words, "--set", "cotracker.points_per_side=32", "--set", "head.side_px=320")
    assert (found.scorers, found.dtype, found.device) == (("head", "cotracker"), "bfloat16", "cpu")
    assert found.cascade.name == "talkvid"
    assert found.settings == (("cotracker.points_per_side", "32"), ("head.side_px", "320"))


@pytest.mark.parametrize(
    ("setting", "sentence"), [("dover.dover_scores=6", "no setting 'dover_scores'"), ("sync.boxes=nonsense", "no face back end 'nonsense'")]
)
def test_setting_that_means_nothing_is_refused_before_the_first_step(setting, sentence):
    with pytest.raises(UsageError, match=sentence):
        scoring("--set", setting)
