"""What to say when files of `samples` are gone that a version of it names."""

from schemas.errors import MissingError
from schemas.place import Place
from training.snapshot import TABLE, FileGoneError


def lost(place: Place, version: int, error: FileGoneError) -> MissingError:
    """The sentence for a version whose files are not all there; an older one may have been vacuumed, the newest was damaged."""
    newest = place.version(TABLE)
    if version < newest:
        return MissingError(f"files of version {version} of {TABLE} were deleted since by talkvid maintain: train on version {newest}, without --snapshot")
    file = str(error).partition(" is gone")[0]
    return MissingError(f"{file} is gone, though {TABLE} names it: bring it back, or delete {place.table(TABLE)} and run talkvid prepare again")
