"""The inputs of one video as local files."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from inference.about import about
from schemas import storage
from schemas.codes import Rejected
from udfs.staging import staged


@contextmanager
def staged_inputs(inputs: Mapping[str, str], called: Mapping[str, str]) -> Iterator[dict[str, Path]]:
    """Local paths by name, copied where an input lies in a store; `called` says what to call them.

    Rejections, also those raised inside, name an input by its own address, not by that of its copy. Raises as `udfs.staging.staged`.
    """
    with ExitStack() as stack:
        places: dict[str, Path] = {}
        for name, place in inputs.items():
            with about(called[name], place):
                places[name] = stack.enter_context(staged(place))
        try:
            yield places
        except Rejected as rejection:
            detail = rejection.detail
            for name, place in inputs.items():
                detail = detail.replace(str(places[name]), place) if storage.is_remote(place) else detail
            if detail == rejection.detail:
                raise
            raise Rejected(rejection.code, detail) from rejection
