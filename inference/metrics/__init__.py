"""What generated videos are worth, as pure functions over arrays. Each states its formula's source and its convention (metrics.md)."""
