"""The command line of `generate`."""

import os
import re
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction, Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.options import STRATEGIES, Options
from jobs.arguments import natural
from schemas import storage
from schemas.errors import UsageError

DEFAULT_CHECKPOINT = "model_ckpts"
VIDEO_SUFFIX = ".mp4"
"""How the name of every video ends."""
RANDOM = "RANDOM WEIGHTS: what the faces do means nothing"


@dataclass(frozen=True)
class GenerateConfig:
    """One video (`reference_image_path`, `audio_path`, `output_path`), or those of `table`. `options` are those that were given."""

    checkpoint_path: str
    options: dict[str, Any] = field(default_factory=dict)
    reference_image_path: str | None = None
    audio_path: str | None = None
    kps_path: str | None = None
    driving_video_path: str | None = None
    output_path: str | None = None
    table: str | None = None
    out: str | None = None
    retry_failed: bool = False
    device: str = "auto"
    dtype: str = "auto"
    save_gpu_memory: bool = False
    do_multi_devices_inference: bool = False
    limit: int | None = None
    quiet: bool = False

    @property
    def is_batch(self) -> bool:
        """True when a table is worked on."""
        return self.table is not None


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    one = parser.add_argument_group("one video")
    one.add_argument("--reference_image_path", metavar="F", help="portrait")
    one.add_argument("--audio_path", metavar="F", help="what is said")
    one.add_argument("--output_path", metavar="F", help="the video, an mp4")
    one.add_argument("--kps_path", metavar="F", help="driving key points, a kps.pth")
    one.add_argument("--driving_video_path", metavar="F", help="video to take driving key points from when there is no --kps_path")
    many = parser.add_argument_group("many videos")
    many.add_argument(
        "--table",
        metavar="CSV|TABLE",
        help="a row per video: .csv, .tsv, .parquet, a Delta table, or a table of the lake; columns are called like flags, and "
        "ground_truth_uri is the real video that evaluate compares with",
    )
    many.add_argument("--out", metavar="URI", help="folder or s3a:// prefix of the videos; LAKE/generations/… when not given")
    many.add_argument("--retry-failed", action="store_true", help="try videos again that failed before")
    both = parser.add_argument_group("both; columns of a table override these")
    both.add_argument("--checkpoint_path", metavar="DIR", default=DEFAULT_CHECKPOINT, help="what train --output wrote, or the released layout")
    for name, kind in Options.types().items():
        default = "from the generation_id in a table, else 42" if name == "seed" else getattr(Options, name)
        told = {"default": SUPPRESS, "help": _HELP[name] if default in (None, False) else f"{_HELP[name]} (default: {default})"}
        if kind is bool:
            both.add_argument(f"--{name}".replace("_", "-") if name == "median_filter" else f"--{name}", action=BooleanOptionalAction, **told)
        else:
            both.add_argument(f"--{name}", type=kind, choices=STRATEGIES if name == "retarget_strategy" else None, metavar=kind.__name__.upper(), **told)
    where = parser.add_argument_group("where")
    where.add_argument("--device", metavar="auto|cpu|cuda|cuda:N", default="auto", help="where networks run")
    where.add_argument("--gpu_id", type=natural, metavar="N", help="the GPU of one video, as --device cuda:N")
    where.add_argument("--dtype", choices=("auto", "fp32", "fp16", "bf16"), default="auto", help="auto: fp32 on a CPU, bf16 on a GPU")
    where.add_argument("--save_gpu_memory", action="store_true", help="a smaller GPU will do, at some cost in speed")
    where.add_argument("--do_multi_devices_inference", action="store_true", help="share the windows of one video out to all GPUs")


_HELP = {
    "retarget_strategy": "how driving key points are brought onto the portrait: " + ", ".join(STRATEGIES),
    "retarget_as_released": "with the two faults of the released program",
    "num_inference_steps": "denoising steps",
    "guidance_scale": "classifier-free guidance; 1 spares the second pass",
    "context_frames": "frames that the network sees at once, at most 32",
    "context_overlap": "frames that neighbouring windows share",
    "reference_attention_weight": "how much the portrait counts",
    "audio_attention_weight": "how much the sound counts",
    "image_width": "px, a multiple of 64; 512, or 128 for a smoke model",
    "image_height": "px, a multiple of 64; 512, or 128 for a smoke model",
    "fps": "frames a second, exactly",
    "seed": "of the noise",
    "kps_size": "side in px of the square picture that coordinates in --kps_path belong to; the generated picture when not given",
    "median_filter": "the released program's last step, a 3x3x3 median",
}


def configure(args: Namespace) -> GenerateConfig:
    """The configuration of a command line. Raises `UsageError` for words that mean nothing."""
    given = {name: getattr(args, name) for name in Options.types() if hasattr(args, name)}
    Options(**given)
    single = ("reference_image_path", "audio_path", "output_path")
    if args.table is None:
        missing = [f"--{name}" for name in single if getattr(args, name) is None]
        if missing:
            raise UsageError(f"{', '.join(missing)} is missing; or give --table for many videos")
        if os.path.isdir(args.output_path):
            raise UsageError(f"--output_path {args.output_path} is a folder; give the name of an mp4")
        if not args.output_path.lower().endswith(VIDEO_SUFFIX):
            raise UsageError(f"--output_path {args.output_path}: videos are mp4; give a name that ends in {VIDEO_SUFFIX}")
        if args.out is not None or args.retry_failed:
            raise UsageError("--out and --retry-failed belong to --table")
    elif any(getattr(args, name) is not None for name in (*single, "kps_path", "driving_video_path")):
        raise UsageError("with --table the files stand in its columns, not in flags")
    elif args.do_multi_devices_inference:
        raise UsageError("--do_multi_devices_inference is for one video; many videos are shared out to the GPUs as they are")
    if args.save_gpu_memory and args.do_multi_devices_inference:
        raise UsageError("--save_gpu_memory and --do_multi_devices_inference exclude each other")
    device = _device(args)
    checkpoint = args.checkpoint_path if storage.is_remote(args.checkpoint_path) else str(Path(args.checkpoint_path).expanduser().absolute())
    return GenerateConfig(
        checkpoint_path=checkpoint,
        options=given,
        **{name: getattr(args, name) for name in (*single, "kps_path", "driving_video_path", "table", "retry_failed", "dtype", "limit", "quiet")},
        out=storage.address(args.out) if args.out else None,
        device=device,
        save_gpu_memory=args.save_gpu_memory,
        do_multi_devices_inference=args.do_multi_devices_inference,
    )


def _device(args: Namespace) -> str:
    """`auto`, `cpu`, `cuda` or `cuda:N`; the last for one video on one GPU only."""
    if re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", args.device) is None:
        raise UsageError(f"there is no --device {args.device}; it is auto, cpu, cuda or cuda:N")
    device = args.device
    if args.gpu_id is not None:
        if device not in ("auto", "cuda", f"cuda:{args.gpu_id}"):
            raise UsageError(f"--gpu_id {args.gpu_id} and --device {device} exclude each other")
        device = f"cuda:{args.gpu_id}"
    if ":" in device and (args.table is not None or args.do_multi_devices_inference):
        raise UsageError(f"{device} is one GPU; --table and --do_multi_devices_inference share the work out to all, with --device cuda")
    return device
