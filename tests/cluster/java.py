"""Java's errors as Python sees them."""

from types import SimpleNamespace

from py4j.protocol import Py4JError


class Thrown(Py4JError):
    """As py4j raises what Java threw."""

    def __init__(self, thrown: object, name: str = "java_exception") -> None:
        super().__init__("An error occurred while calling o12.load")
        setattr(self, name, thrown)


def thrown(kind: str, message: str | None, cause: object = None) -> SimpleNamespace:
    named = SimpleNamespace(getSimpleName=lambda: kind)
    return SimpleNamespace(getClass=lambda: named, getMessage=lambda: message, getCause=lambda: cause)
