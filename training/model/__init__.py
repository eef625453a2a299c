"""The V-Express model (vexpress.md): four networks, the noise schedule and the sampler, in plain PyTorch.

`vexpress.py` puts the networks together; `official.py` reads and writes checkpoints. Modules carry the names of the official
checkpoints, so a state dict of a network here is the content of an official file. Nothing here knows of Spark, DeepSpeed or Petastorm.
"""
