"""The V-Express model (vexpress.md): four networks, the noise schedule and the sampler, in plain PyTorch.

`vexpress.py` puts the networks together; `official.py` reads and writes checkpoints. Modules carry the names of the official
checkpoints, so a state dict of a network here is the content of an official file. Nothing here knows of Spark, DeepSpeed or Petastorm.

Only the VAE (`image_coder.py`) is diffusers': where the other networks are Stable Diffusion's, they are written out all the same, because they
take reference banks, motion modules and conditions of single frames inside their blocks, and have to run where diffusers is not installed. The
schedule and the banks are compared with diffusers' own (`tests/training/model/test_against_diffusers.py`).
"""
