"""Scoring as a worker of `jobs.batches`: rows of references in, rows of scores and failures out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pyarrow as pa

from schemas.codes import Rejected
from schemas.scores import STORED, struct_of
from udfs.cascade import Cascade, Skipped
from udfs.device import claim
from udfs.registered import Registered
from udfs.registry import scorer_fingerprint
from udfs.scorer import Clip, Device, Scorer
from udfs.scoring import DECODE_AHEAD, Asked, Outcomes, score_clips, set_up

FAILURE = pa.struct([("stage", pa.string()), ("fingerprint", pa.string()), ("code", pa.string()), ("detail", pa.string())])
ROWS = pa.schema([("clip_id", pa.string()), *[(name, struct_of(name)) for name in STORED], ("skipped_by", pa.string()), ("failures", pa.list_(FAILURE))])
"""Result rows: one per clip, a struct per scorer that succeeded, a failure per scorer that did not, and what a cascade spared."""


@dataclass(frozen=True)
class ScoringPlan:
    """What the workers of one run do. `fingerprints` and `configs` are pairs with a scorer's name; `device` is `cpu` or `cuda`,
    `dtype` that of the networks that can work in it, `decoders` how many clips are decoded at once beside them."""

    fingerprints: tuple[tuple[str, str], ...]
    configs: tuple[tuple[str, Any], ...] = ()
    device: str = "cpu"
    threads: int = 1
    dtype: str = "float32"
    cascade: Cascade | None = None
    decoders: int = DECODE_AHEAD

    @classmethod
    def of(cls, scorers: Sequence[Scorer], device: str = "cpu", cascade: Cascade | None = None, dtype: str = "float32") -> "ScoringPlan":
        """The plan that runs these scorers, configured as they are here, wherever the worker is."""
        fingerprints = tuple((scorer.name, scorer_fingerprint(scorer)) for scorer in scorers)
        return cls(fingerprints, tuple((scorer.name, scorer.config) for scorer in scorers), device, dtype=dtype, cascade=cascade)


@lru_cache(maxsize=1)
def _loaded(plan: ScoringPlan) -> tuple[list[Scorer], Device]:
    """Scorers with their networks, once per process."""
    device = replace(claim(plan.device, plan.threads), dtype=plan.dtype)
    return set_up([name for name, _ in plan.fingerprints], device, dict(plan.configs)), device


def score_items(plan: ScoringPlan, items: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict]]]:
    """Measure the clips of `items` (see `item_clip`) with the scorers that each names under `scorers`."""
    scorers, device = _loaded(plan)
    fingerprints = dict(plan.fingerprints)
    devices = {scorer.name: scorer.runs_on(device) for scorer in scorers}
    asked = [Asked(item_clip(item), tuple(item["scorers"]), item.get("known") or {}) for item in items]
    for index, outcomes in score_clips(asked, scorers, clips_per_batch=device.clips_at_once, decode_ahead=plan.decoders, cascade=plan.cascade):
        made = row(items[index]["clip_id"], outcomes, fingerprints, devices)
        rules = [outcome.rule for outcome in outcomes.values() if isinstance(outcome, Skipped)]
        yield index, [made | {"skipped_by": plan.cascade.mark(rules[0])} if plan.cascade and rules else made]


def item_clip(item: dict[str, Any]) -> Clip:
    """A clip from its row in `clip_metadata` (with `audio_uri` and `registered` beside); the crop box becomes the frame size."""
    crop = item.get("crop")
    box = (crop["left"], crop["top"], crop["right"], crop["bottom"]) if crop else None
    return Clip(
        clip_id=item["clip_id"],
        video_id=item["video_id"],
        uri=item["uri"],
        start_s=item["start_s"],
        end_s=item["end_s"],
        width_px=box[2] - box[0] if box else item["width"],
        height_px=box[3] - box[1] if box else item["height"],
        fps=item["fps"],
        has_audio=bool(item["has_audio"]),
        crop=box,
        audio_uri=item.get("audio_uri"),
        registered=Registered.read(item.get("registered")),
    )


def row(clip_id: str, outcomes: Outcomes, fingerprints: dict[str, str], devices: Mapping[str, Device]) -> dict[str, Any]:
    """One result row of `ROWS`; `devices` says by scorer what made its values."""
    result: dict[str, Any] = {"clip_id": clip_id, "failures": []}
    for name, outcome in outcomes.items():
        if isinstance(outcome, Rejected):
            failure = {"stage": f"score:{name}", "fingerprint": fingerprints[name], "code": outcome.code, "detail": outcome.detail}
            result["failures"].append(failure)
        elif not isinstance(outcome, Skipped):
            result[name] = outcome | {"fingerprint": fingerprints[name], "device": devices[name].kind, "dtype": devices[name].dtype}
    return result


def died(plan: ScoringPlan, item: dict[str, Any]) -> list[dict]:
    """The row of a clip that killed its Python process twice."""
    rejection = Rejected("worker_died", "the process that scored this clip died, and again when it had the clip alone")
    return [row(item["clip_id"], dict.fromkeys(item["scorers"], rejection), dict(plan.fingerprints), {})]
