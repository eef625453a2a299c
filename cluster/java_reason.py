"""What a Java error tells, without the Java around it."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class JavaCause:
    """One Java error: its class without the package, and the first line of its message, which may be empty."""

    kind: str
    said: str


def java_causes(error: BaseException) -> list[JavaCause]:
    """A Java error, then what caused it, down to the innermost cause; empty for any other error. Of one whose Java machine is gone only the class in
    Python is known."""
    from py4j.protocol import Py4JError

    cause = getattr(error, "java_exception", None) or getattr(error, "_origin", None)  # as py4j has it, and as PySpark hands it on
    causes: list[JavaCause] = []
    try:
        while cause is not None:
            causes.append(JavaCause(str(cause.getClass().getSimpleName()), one_line(cause.getMessage() or "")))
            cause = cause.getCause()
    except (Py4JError, OSError):  # the Java machine is gone, and what it could tell with it
        return [JavaCause(type(error).__name__, "")]
    return causes


def java_reason(error: BaseException) -> str:
    """The innermost cause of a Java error as one line; of any other error its first line. Never empty."""
    causes = java_causes(error)
    if causes:
        return causes[-1].said or causes[-1].kind
    return one_line(str(error)) or type(error).__name__


def one_line(text: str) -> str:
    """The first line, without the names that Spark gives its errors."""
    return re.sub(r"^\[[A-Z0-9_.]+\] ?|,? ?SQLSTATE:.*$", "", text.strip().partition("\n")[0]).strip()
