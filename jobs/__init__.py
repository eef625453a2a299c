"""What you run: one module per job, each `read → transform → write`, each spark-submit-able."""
