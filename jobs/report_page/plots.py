"""Plots as SVG; colours come from the page's style."""

from markupsafe import Markup

from jobs.report_page.distributions import BINS, Histogram

WIDTH, HEIGHT = 340, 132
_TOP, _BOTTOM = 16, 22


def histogram(data: Histogram) -> Markup:
    """Bars by value; the part of each that fails the rules is below, in the colour of failing. A line at each threshold."""
    floor = HEIGHT - _BOTTOM
    step = WIDTH / BINS
    unit = (floor - _TOP) / (max(data.counts) or 1)
    parts = [Markup('<svg viewBox="-14 0 {} {}" role="img" aria-label="{}">').format(WIDTH + 28, HEIGHT, f"clips by {data.column}")]
    for index, (count, failing) in enumerate(zip(data.counts, data.failing, strict=True)):
        base = floor
        for look, part in (("bar failing", failing), ("bar", count - failing)):
            if part:
                height = max(1.5, unit * part)
                base -= height
                shape = Markup('<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"><title>{}</title></rect>')
                parts.append(shape.format(look, index * step + 0.6, base, step - 1.2, height, f"{part:,}"))
    parts.append(Markup('<line class="axis" x1="0" x2="{0}" y1="{1}" y2="{1}"/>').format(WIDTH, floor + 0.5))
    for tick in data.ticks:
        label = Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
        parts.append(label.format(data.place(tick) * WIDTH, HEIGHT - 7, number(tick)))
    for threshold in data.thresholds:
        x = data.place(threshold) * WIDTH
        anchor, aside = ("start", 4) if x < 0.75 * WIDTH else ("end", -4)
        line = Markup(
            '<line class="threshold" x1="{0:.1f}" x2="{0:.1f}" y1="3" y2="{1}"/><text class="threshold" x="{2:.1f}" y="10" text-anchor="{3}">{4}</text>'
        )
        parts.append(line.format(x, floor, x + aside, anchor, number(threshold)))
    return Markup("").join([*parts, Markup("</svg>")])


def number(value: float) -> str:
    """A number for people: three digits that count, no exponent where it can be helped."""
    if value == 0 or 0.001 <= abs(value) < 1e6:
        text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        return "0" if text == "-0" else text
    return f"{value:.2g}"
