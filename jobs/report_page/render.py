"""The page as HTML: facts into the template. Every text is escaped; nothing in it runs or loads."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from jobs.report_page import plots
from jobs.report_page.diversity import NOT_STATED
from jobs.text_table import escaped

_LONGEST = 160


def page(facts: Mapping[str, Any], template: str = "page.html") -> str:
    """One self-contained HTML page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "plain": plain,
        "hours": hours,
        "share": share,
        "number": plots.number,
        "count": "{:,}".format,
        "plural": plural,
        "counted": counted,
    }
    environment.globals |= {"histogram": plots.histogram, "not_stated": NOT_STATED}
    style = Markup(_resource("page.css"))
    return environment.from_string(_resource(template)).render(style=style, **facts)


def plain(text: str, longest: int = _LONGEST) -> str:
    """Hostile text on one line, shortened, with the characters shown that would change how the rest reads."""
    line = escaped(" ".join(text.split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def hours(value: float) -> str:
    """Hours of media in the unit that suits them."""
    if value >= 100:
        return f"{value:,.0f} h"
    if value >= 1:
        return f"{value:.1f} h"
    return f"{value * 60:.1f} min" if value >= 1 / 60 else f"{value * 3600:.0f} s"


def plural(word: str, count: int) -> str:
    """The word, with an s unless it is one."""
    return word if count == 1 else word + "s"


def counted(count: int, word: str) -> str:
    """A number of things."""
    return f"{count:,} {plural(word, count)}"


def share(part: float, whole: float) -> str:
    """Percentage with one digit; a dash when there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _resource(name: str) -> str:
    return files("jobs.report_page").joinpath(name).read_text(encoding="utf-8")
