"""What runs on a row: media access, segmentation, scorers, their networks and weights. Spark-free but for `udfs.spark`."""
