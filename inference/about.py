"""Which of several inputs a rejection is about."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.codes import Rejected


@contextmanager
def about(what: str, place: object) -> Iterator[None]:
    """Rejections inside name the input: `what` and `place` come first in their sentence, unless the place is named already."""
    try:
        yield
    except Rejected as rejection:
        if str(place) in rejection.detail:
            raise
        raise Rejected(rejection.code, f"{what} {place}: {rejection.detail}") from rejection
