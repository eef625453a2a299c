"""What a verb reports when it is done: counts that must add up, one last line, or one JSON object."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.text_table import escaped_json
from schemas.errors import TalkvidError, VerificationError


@dataclass
class Summary:
    """Outcome of one run of a verb.

    `counts` holds the words of law 6 in their order, `in` first; `results` is what stdout shows before the last line;
    `notes` are sentences for the user; `extra` goes into `--json` as it is (for example `skipped_scorers`). `failure` ends the verb
    with its sentence and status after all that was printed.
    """

    verb: str
    counts: dict[str, int]
    seconds: float = 0.0
    fingerprint: str = ""
    outputs: list[str] = field(default_factory=list)
    results: str = ""
    notes: list[str] = field(default_factory=list)
    extra: dict[str, object] = field(default_factory=dict)
    complete: bool = True
    failure: TalkvidError | None = None

    def line(self) -> str:
        """`verb: in=… … seconds=…`, the last line of stdout."""
        words = " ".join(f"{name}={value}" for name, value in self.counts.items())
        return f"{self.verb}: {words} seconds={self.seconds:.1f}"

    def json(self) -> str:
        """The one JSON object of `--json`: no character of it acts on a terminal, and numbers that JSON does not have are the words `inf`, `-inf`, `nan`."""
        record = {"verb": self.verb, **self.counts, "seconds": round(self.seconds, 3)}
        record |= {"fingerprint": self.fingerprint, "outputs": self.outputs, "notes": self.notes, **self.extra}
        return escaped_json(json.dumps(_finite(record), ensure_ascii=False, allow_nan=False, default=str))


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, (list, tuple)) else value


def check_sum(verb: str, whole: str, parts: tuple[str, ...], counts: dict[str, int]) -> None:
    """Raise `VerificationError` unless `counts[whole]` is the sum of its parts: nothing disappears (law 6)."""
    total = sum(counts[part] for part in parts)
    if counts[whole] != total:
        words = " + ".join(f"{part}={counts[part]}" for part in parts)
        raise VerificationError(f"{verb}: {whole}={counts[whole]} is not {words}; run it again, and report this if it stays")
