"""The dataset card of the Hugging Face layout."""

import re
from collections import defaultdict
from collections.abc import Sequence

_TEXT = """---
license: other
license_name: per-clip
task_categories:
- video-classification
pretty_name: Talking-head clips
configs:
- config_name: default
  data_dir: data
---

# Talking-head clips

{clips} clips, {hours:.2f} hours, selected by TalkVid on Spark. One line per clip in `data/train/metadata.jsonl`; its keys are those of
the records that TalkVid released, then `clip_id`, `file`, where the clip is from, its crop box, and the fingerprint of each score.

## Licences

Each clip keeps the licence of the video it was cut from; `licence` in its record has the platform's words, and `info."Video Link"` the page.
Check that you may use, and pass on, each of them: this card grants nothing.

| licence | platform | clips | hours |
|---|---|---|---|
{table}

{media}
"""


def dataset_card(facts: Sequence[tuple[str | None, str | None, float]], *, media: bool) -> str:
    """The card's Markdown for (licence, platform, seconds) of each clip; licences are hostile text."""
    sums: dict[tuple[str, str], list[float]] = defaultdict(list)
    for licence, platform, seconds in facts:
        sums[(licence or "not stated", platform or "unknown")].append(seconds)
    ordered = sorted(sums.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    table = "\n".join(f"| {_plain(licence)} | {_plain(platform)} | {len(s)} | {sum(s) / 3600:.2f} |" for (licence, platform), s in ordered)
    note = "The videos were re-encoded (H.264, AAC)." if media else "This export holds addresses and times only, no video."
    return _TEXT.format(clips=len(facts), hours=sum(seconds for _, _, seconds in facts) / 3600, table=table or "| | | 0 | 0.00 |", media=note)


def _plain(text: str) -> str:
    """Text without anything that Markdown or HTML gives a meaning."""
    return re.sub(r"[^\w .,:()/+-]", "_", " ".join(text.split()))[:80].replace("__", "_")
