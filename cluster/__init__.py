"""Where it runs: Spark session, jars, launch files."""
