"""The parts of the HTML report: what it tells, and how that looks."""
