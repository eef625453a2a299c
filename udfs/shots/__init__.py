"""Shots of a video: where they are cut, and where they fade into each other."""
