"""From a trained model to videos, and from videos to numbers."""
