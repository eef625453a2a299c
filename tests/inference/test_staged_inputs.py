"""Inputs of a video that lie elsewhere."""

from contextlib import contextmanager

import pytest

from inference import staged_inputs as module
from inference.about import about
from inference.staged_inputs import staged_inputs
from schemas.codes import Rejected


def test_what_cannot_be_fetched_is_named():
    with pytest.raises(Rejected, match="vanished: the sound /no/s.wav: "), staged_inputs({"audio": "/no/s.wav"}, {"audio": "the sound"}):
        pass


def test_what_is_said_of_a_copy_names_where_it_came_from(tmp_path, monkeypatch):
    @contextmanager
    def copied(uri):
        yield tmp_path / "copy" / uri.rpartition("/")[2]

    monkeypatch.setattr(module, "staged", copied)
    inputs = {"audio": "s3a://b/s.wav", "portrait": "/home/p.jpg"}
    called = {"audio": "the sound", "portrait": "the portrait"}
    with pytest.raises(Rejected) as told, staged_inputs(inputs, called) as places, about("the sound", places["audio"]):
        raise Rejected("no_audio", "there is none")
    assert (told.value.code, told.value.detail) == ("no_audio", "the sound s3a://b/s.wav: there is none")
