"""Every table of the lake, by name."""

from schemas import (
    bench,
    clip_metadata,
    clips,
    evaluated,
    evaluations,
    exports,
    failures,
    generations,
    removals,
    runs,
    samples,
    scores,
    segmentations,
    settings,
    sources,
    verdicts,
    videos,
)
from schemas.table import Table

TABLES: dict[str, Table] = {
    module.TABLE.name: module.TABLE
    for module in (
        videos,
        sources,
        clips,
        segmentations,
        scores,
        clip_metadata,
        verdicts,
        failures,
        exports,
        samples,
        generations,
        bench,
        evaluated,
        evaluations,
        removals,
        runs,
        settings,
    )
}
