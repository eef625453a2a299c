"""What a training needs beside the weights that it starts from: told before anything runs."""

import errno
import os
from importlib.util import find_spec
from pathlib import Path

from jobs.training_snapshot import version_of
from schemas import storage
from schemas.lake import Lake
from schemas.path_errors import refusal
from training.snapshot import TABLE
from training.stages import Settings
from udfs import speech_features, weights

VAE = "sd-vae-ft-mse"
CACHED = "or train on samples that were prepared with --cache-latents where they are"


def lacking(lake: Lake, settings: Settings, *, footage: bool, version: int | None = None) -> str | None:
    """The sentence that says what a training lacks, by a look at the samples of `version` (the newest if None); None when all is there.

    `footage`: samples will be made of it first, which takes wav2vec2, and keeps no latents. Raises `MissingError` where there is no such version.
    """
    if settings.optimizer == "adamw8bit" and find_spec("bitsandbytes") is None:
        return "optimizer=adamw8bit: bitsandbytes is not installed; take optimizer=adamw"
    if settings.model == "smoke":
        return None
    if footage and not weights.available(speech_features.WEIGHTS):
        return weights.missing_sentence(weights.entry(speech_features.WEIGHTS))
    if footage or lake.place.version(TABLE) < 0:
        return lacking_vae(settings, None)
    cached = lake.ledger.read(TABLE, ["latents_fingerprint"], version_of(lake, version))["latents_fingerprint"].unique().to_pylist()
    return lacking_vae(settings, next((one for one in cached if one and not one.startswith("random:")), None))


def lacking_vae(settings: Settings, latents: str | None) -> str | None:
    """The sentence about the VAE where these latents (their fingerprint; None: there are none) do not stand in for it."""
    if settings.model == "smoke" or weights.available(VAE) or (latents is not None and not latents.startswith("random:")):
        return None
    return f"{weights.missing_sentence(weights.entry(VAE))}; {CACHED}"


def check_output(place: str) -> None:
    """See that a local folder can be made or written; a store is not looked at. Writes nothing. Raises `UsageError` where none can be, `MissingError`
    without the right."""
    if storage.is_remote(place):
        return
    there = next(folder for folder in (Path(place), *Path(place).parents) if os.path.exists(folder))
    number = errno.ENOTDIR if not there.is_dir() else None if os.access(there, os.W_OK | os.X_OK) else errno.EACCES
    if number is not None:
        raise refusal(OSError(number, os.strerror(number)), f"--output: {place} cannot be written, because of {there}")
