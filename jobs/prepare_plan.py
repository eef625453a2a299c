"""What `prepare` has to do: which clips lack a sample or its latents, which samples are of clips that are gone."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.export_plan import kept_sql
from schemas.duck import connect
from schemas.lake import Lake
from schemas.policy import Policy
from schemas.videos import REGISTERED
from udfs.preparing import LABELS
from udfs.registered import Registered
from udfs.staging import gone, local_path

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STAGE = "prepare"
_CLIP = ("clip_id", "video_id", "uri", "start_s", "end_s", "crop", "width", "height", "fps", "has_audio", *LABELS)


@dataclass(frozen=True)
class Wanted:
    """What samples shall be: their fingerprint, and that of their latents where those are asked for. `retry_failed` tries failures again."""

    fingerprint: str
    latents: str | None = None
    retry_failed: bool = False
    limit: int | None = None


@dataclass
class Plan:
    """Clips by what happens to them. `new` (rows of clips) and `bare` (ids of samples without the wanted latents) are to be worked on;
    with `present` and `failed` they are all that is wanted. `outdated` samples give way to new ones, `gone` ones are of clips that are
    no more, `relabelled` ones have other labels now."""

    new: list[dict[str, Any]] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    outdated: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    relabelled: dict[str, dict[str, str | None]] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    @property
    def has_work(self) -> bool:
        """Whether anything must be computed."""
        return bool(self.new or self.bare)


def make_plan(lake: Lake, policy: Policy, wanted: Wanted) -> Plan:
    """Compare the clips that a policy keeps with the samples that are there."""
    with connect(lake.ledger, policy) as engine:
        clips = engine.sql(_clips_sql(kept_sql(engine, policy))).to_arrow_table().to_pylist()
        samples = {row["clip_id"]: row for row in engine.sql(_samples_sql()).to_arrow_table().to_pylist()}
        failures = _failures(engine, wanted)
    plan = Plan(attempts={entity: attempts for (entity, _), (attempts, _) in failures.items()})
    plan.gone = {clip_id for clip_id, row in samples.items() if not row["has_clip"]}
    for clip in clips:
        _place(plan, clip, samples.get(clip["clip_id"]), failures, wanted)
    return plan


def random_and_real(lake: Lake) -> tuple[int, int]:
    """How many samples there are whose numbers come from random weights, and from real ones."""
    with connect(lake.ledger) as engine:
        made = engine.execute("SELECT count(*) FILTER (starts_with(fingerprint, 'random:')), count(*) FROM samples").fetchall()[0]
    return made[0], made[1] - made[0]


def _place(plan: Plan, clip: dict[str, Any], sample: dict[str, Any] | None, failures: dict[tuple[str, str], tuple[int, str]], wanted: Wanted) -> None:
    """Put a wanted clip where it belongs."""
    clip_id = clip["clip_id"]
    there = sample is not None and sample["fingerprint"] == wanted.fingerprint
    if there:
        labels = {name: clip[name] for name in LABELS}
        plan.relabelled |= {clip_id: labels} if labels != {name: sample[name] for name in LABELS} else {}
        if wanted.latents in (None, sample["latents_fingerprint"]):
            plan.present.add(clip_id)
            return
    lacking = wanted.latents if there else wanted.fingerprint
    if _given_up(clip, failures.get((clip_id, lacking)), wanted.retry_failed):
        plan.failed.add(clip_id)
    elif wanted.limit is not None and len(plan.new) + len(plan.bare) >= wanted.limit:
        return
    elif there:
        plan.bare.append(clip_id)
    else:
        plan.new.append(clip)
    if sample is not None and not there:
        plan.outdated.add(clip_id)


def _given_up(clip: dict[str, Any], failure: tuple[int, str] | None, retry_failed: bool) -> bool:
    """Whether a clip that failed is left alone: always, unless asked otherwise, or when its file had vanished and is back as it was."""
    if failure is None or retry_failed:
        return False
    is_local = local_path(clip["uri"]) is not None
    return failure[1] != "vanished" or not is_local or gone(clip["uri"], Registered.read(clip["registered"]), failed_before=True) is not None


def _clips_sql(kept: str) -> str:
    columns = ", ".join(f"kept.{name}" for name in _CLIP)
    joined = f"{kept} kept JOIN videos USING (video_id) LEFT JOIN {REGISTERED} USING (video_id)"
    return f"SELECT {columns}, videos.audio_uri, registered FROM {joined} ORDER BY kept.video_id, kept.start_s, kept.clip_id"


def _samples_sql() -> str:
    return f"""
        SELECT samples.clip_id, fingerprint, latents_fingerprint, {", ".join(LABELS)}, samples.clip_id IN (SELECT clip_id FROM clips) AS has_clip
        FROM samples"""


def _failures(engine: "DuckDBPyConnection", wanted: Wanted) -> dict[tuple[str, str], tuple[int, str]]:
    """(clip, fingerprint) to how often it failed, and the newest code."""
    query = """SELECT entity, fingerprint, max(attempt), arg_max(code, "at") FROM failures WHERE stage = ? AND fingerprint IN (?, ?) GROUP BY ALL"""
    rows = engine.execute(query, [STAGE, wanted.fingerprint, wanted.latents or ""]).fetchall()
    return {(entity, fingerprint): (attempts, code) for entity, fingerprint, attempts, code in rows}
