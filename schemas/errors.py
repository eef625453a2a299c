"""Errors that end a verb, each with the exit status of the command-line contract (DESIGN.md, "Jobs and their contract")."""

import signal


class TalkvidError(Exception):
    """A mistake or a lack the user can mend. Its text is one sentence that says what to do; it is printed without a traceback."""

    exit_status = 1


class UsageError(TalkvidError):
    """The call itself is wrong: unknown flag value, unknown rule, statement that is not a query."""

    exit_status = 2


class MissingError(TalkvidError):
    """Something is not there: a table, policy, weight, column, Java, jars."""

    exit_status = 3


class VerificationError(TalkvidError):
    """A sum of law 6 does not add up, or a check of what was written failed."""

    exit_status = 4


class BusyError(TalkvidError):
    """Another writing verb holds the lake."""

    exit_status = 5


class TooManyFailedError(TalkvidError):
    """More rows failed than `--max-failed` allows."""

    exit_status = 6


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived; what was committed stays. Not an `Exception`, so that no job swallows it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}")
        self.exit_status = 128 + signal_number


def interruption_behind(error: BaseException | None) -> Interrupted | None:
    """The signal that caused an error; Spark's own cleaning up raises another one over it, and its own handler `KeyboardInterrupt`."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return Interrupted(signal.SIGINT)
        if isinstance(error, Interrupted):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
