"""Every table of the lake, by name."""

from schemas import (
    clip_metadata,
    clips,
    exports,
    failures,
    removals,
    runs,
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
        removals,
        runs,
        settings,
    )
}
