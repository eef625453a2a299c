"""Every golden case of DOVER and CoTracker3 beside its tolerance: `python -m benchmarks.goldens [--folder ../shared/specs/goldens] [--network dover]`.

Exit status 1 when any number is out of bounds. About three CPU minutes.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch

from benchmarks.corpus import goldens_folder
from benchmarks.table import show
from tests.udfs.nets import cotracker3_cases, dover_cases
from tests.udfs.nets.golden_rules import Deviation, Golden, load_golden_weights
from udfs.nets.cotracker3.network import CoTracker3
from udfs.nets.dover.network import Dover
from udfs.nets.tiles import keep_freed_memory

Cases = Iterator[tuple[str, Iterable[Deviation]]]


def main() -> None:
    """Print one row per case and kind of number: its worst value relative to the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=goldens_folder())
    parser.add_argument("--network", choices=NETWORKS, action="append")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    rows, good = [], True
    for network in arguments.network or NETWORKS:
        for case, deviations in NETWORKS[network](Golden.of(network, arguments.folder)):
            found = list(deviations)
            worst = max(found, key=lambda deviation: deviation.found - deviation.allowed if deviation.allowed == 0 else deviation.found / deviation.allowed)
            within = all(deviation.within for deviation in found)
            good = good and within
            rows.append((network, case, len(found), worst.name, f"{worst.found:.1e}", f"{worst.allowed:.1e}", "yes" if within else "NO"))
            print(*rows[-1], file=sys.stderr, flush=True)
    show("Golden cases", ("network", "case", "numbers", "worst", "deviation", "tolerance", "within"), rows)
    sys.exit(0 if good else 1)


def _dover(golden: Golden) -> Cases:
    network = load_golden_weights(Dover())
    for case in "ABC":
        yield case, dover_cases.network_deviations(network, golden, case)
    yield "frame numbers", dover_cases.sampling_deviations(golden)
    yield "fragments", dover_cases.fragment_deviations(golden)
    yield "resize", dover_cases.resize_deviations(golden)
    yield "dover_scores", dover_cases.released_score_deviations(golden)


def _cotracker3(golden: Golden) -> Cases:
    offline = load_golden_weights(CoTracker3())
    yield "off with its inner tensors", cotracker3_cases.inner_deviations(offline, golden)
    for case in ("off.iters1", "off2", "off60", "off70"):
        yield case, cotracker3_cases.offline_deviations(offline, golden, case)
    for case in cotracker3_cases.PREDICTIONS:
        yield case, cotracker3_cases.prediction_deviations(offline, golden, case)
    yield "pred, reversed passes", cotracker3_cases.reversed_pass_deviations(offline, golden)
    online = load_golden_weights(CoTracker3(time_frames=16))
    yield "on.direct", cotracker3_cases.online_deviations(online, golden)
    for case in cotracker3_cases.STREAMS:
        yield case, cotracker3_cases.stream_deviations(online, golden, case)
    yield "onpred", cotracker3_cases.online_predictor_deviations(online, golden)


NETWORKS: dict[str, Callable[[Golden], Cases]] = {"dover": _dover, "cotracker3": _cotracker3}

if __name__ == "__main__":
    main()
