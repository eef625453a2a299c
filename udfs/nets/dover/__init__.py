"""DOVER, a network that scores the aesthetic and technical quality of a video; written from `dover.md`, loads the official checkpoint."""
