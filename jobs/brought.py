"""Sources that lie on the driver's machine only: where no folder is shared, executors do not find them, and the driver puts them into the lake."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from udfs.media import local_path
from udfs.sources.register import ROWS, Item, Registration, Row, register_items


def brought(plan: Registration, items: Mapping[int, Item], rows: Sequence[Row]) -> tuple[list[Row], int]:
    """The rows of a batch, those of files that only this machine has made anew, here; and how many these were. `items` are all, by number.

    Only where media is copied into the lake: a reference to such a file would be of no use to any executor.
    """
    absent = [items[row["number"]] for row in rows if row["code"] == "vanished"]
    here = [item for item in absent if plan.copies(item["uri"]) and _is_here(item["uri"])]
    found = [row for _, made in register_items(plan, here) for row in made]
    by_number = {row["number"]: row for row in pa.Table.from_pylist(found, schema=ROWS).to_pylist()}
    return [by_number.get(row["number"], row) for row in rows], len(by_number)


def _is_here(uri: str) -> bool:
    path = local_path(uri)
    return path is not None and path.is_file()
