"""Speed and memory, as programs that print a table: `python -m benchmarks.<name>`."""
