"""The talking-head model, its data stream and its three training stages."""
