"""CoTracker3, a network that follows points through a video; written from `cotracker3.md`, loads the official checkpoints."""
