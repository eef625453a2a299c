"""What `benchmarks.kills` is made of: stages, processes, the places where verbs run, what is compared, and one kill from beginning to end."""
