"""Settings of the stages, as files: `stage_1.yaml` … `speaker_finetune.yaml`, and DeepSpeed's `zero2.json`."""
