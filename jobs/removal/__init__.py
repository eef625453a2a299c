"""Taking a person's footage out of every place a lake knows of (DESIGN.md, law 10)."""
