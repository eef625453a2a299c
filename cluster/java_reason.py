"""What a Java error tells, without the Java around it."""

import re


def java_reason(error: BaseException) -> str:
    """The innermost cause of a Java error as one line; of any other error its first line. Never empty."""
    from py4j.protocol import Py4JError

    cause = getattr(error, "java_exception", None)
    try:
        while cause is not None and cause.getCause() is not None:
            cause = cause.getCause()
        if cause is not None:
            return _line(cause.getMessage() or "") or str(cause.getClass().getSimpleName())
    except (Py4JError, OSError):  # the Java machine is gone, and what it could tell with it
        return type(error).__name__
    return _line(str(error)) or type(error).__name__


def _line(text: str) -> str:
    """The first line, without the names that Spark gives its errors."""
    return re.sub(r"^\[[A-Z0-9_.]+\] ?|,? ?SQLSTATE:.*$", "", text.strip().partition("\n")[0]).strip()
