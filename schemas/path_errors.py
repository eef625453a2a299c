"""What the operating system says of a path, as one sentence with an exit status: 2 where the path itself cannot be, 3 where a right or room is missing."""

import errno
import os

from schemas.errors import MissingError, TalkvidError, UsageError

_UNUSABLE_PATH = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG)
_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def path_refused(error: BaseException) -> TalkvidError | None:
    """The sentence for a path that the operating system does not let us use; None for other errors."""
    if not isinstance(error, OSError):
        return None
    if error.errno in _FULL:
        return MissingError(f"{error.strerror}; make room and run it again")
    where = error.filename2 or error.filename
    if error.errno not in (*_UNUSABLE_PATH, *_NO_RIGHT) or not isinstance(where, str | bytes):
        return None
    return refusal(error, os.fsdecode(where))


def refusal(error: OSError | ValueError, what: str) -> TalkvidError:
    """The sentence for a place that was tried: `what`, which names it, then why. A `ValueError` is one of a name that no system takes."""
    number, why = (error.errno, error.strerror) if isinstance(error, OSError) else (None, None)
    return (MissingError if number in (*_NO_RIGHT, *_FULL) else UsageError)(f"{what}: {why or error}")
