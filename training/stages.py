"""What each stage trains, starts from and drops: the one place to read (talkvid.md §8.1, vexpress.md §11).

A stage is a YAML file in `training/configs` and the parameter groups of `training/model/parameter_groups.py`; every setting has its meaning here.
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from schemas import storage
from schemas.errors import MissingError, UsageError
from training.model.condition_drops import DropRates
from training.model.config import FULL, SMOKE, ModelConfig
from training.model.noise_schedule import NOISE_OFFSET, SNR_GAMMA
from training.setting_values import as_kind, of_file, of_word

STAGES = (1, 2, 3)
SILENCED = frozenset({1, 2})
"""Stages that start with the last layers of motion modules and audio attention at zero."""
WITHOUT_MOTION = frozenset({1})
"""Stages in which motion modules and audio attention add nothing, and so do not run."""
MODELS: Mapping[str, ModelConfig] = MappingProxyType({"full": FULL, "smoke": SMOKE})
PRECISIONS = ("bf16", "fp16", "fp32")
_CHOICES = {"stage": STAGES, "model": tuple(MODELS), "precision": PRECISIONS, "optimizer": ("adamw", "adamw8bit"), "engine": ("auto", "deepspeed", "plain")}
_MORE_THAN_ZERO = (
    "frames",
    "batch_per_rank",
    "accumulation",
    "steps",
    "image_px",
    "learning_rate",
    "clip_norm",
    "checkpoint_every",
    "keep_checkpoints",
    "epsilon",
    "snr_gamma",
)
_NOT_NEGATIVE = ("workers", "validate_every", "validation_samples", "export_every", "reference_margin", "seed", "noise_offset", "weight_decay", "lip_weight")
_SHARES = ("unconditional", "kps_drop", "reference_drop", "flip")
_DECAYS = ("beta1", "beta2", "ema")
_OWN_SETTING = MappingProxyType({"language": "languages", "speaker_id": "speakers"})
"""Columns of `samples` by which a setting of its own chooses, and that setting; for the others it is `labels`."""


@dataclass(frozen=True)
class Settings:
    """One training run.

    What it is: `stage` says which parameters are trained, `folder` is its place under the output folder, `start` where its weights come from:
    `initial` (published relatives), `random`, the folder of another stage under the same output, or any folder with a checkpoint.
    """

    stage: int
    folder: str
    start: str
    frames: int
    batch_per_rank: int
    """Samples of one rank in one optimisation step."""
    steps: int
    """Optimisation steps in all."""
    lip_weight: float
    kps_drop: float
    """Share of samples without key points."""
    reference_drop: float
    """Share of (block, frame) pairs without the portrait."""
    checkpointing: bool
    """Keep only the inputs of the denoising UNet's layers for the backward pass."""
    seed: int
    model: str = "full"
    image_px: int = 512
    unconditional: float = 0.1
    """Share of steps without any condition."""
    noise_offset: float = NOISE_OFFSET
    snr_gamma: float = SNR_GAMMA
    flip: float = 0.5
    reference_margin: int = 30
    """Frames between the portrait and the nearest frame that is learnt."""
    languages: tuple[str, ...] = ()
    """Train on these only; empty: on all. So for speakers."""
    speakers: tuple[str, ...] = ()
    needs_speakers: bool = False
    """Refuse to train on all speakers (`read`)."""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other columns of `samples`, and the values that a clip may have there."""
    accumulation: int = 1
    """Parts into which a rank's samples of a step are cut to save memory; changes nothing else."""
    learning_rate: float = 1e-6
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.01
    epsilon: float = 1e-8
    clip_norm: float = 1.0
    optimizer: str = "adamw"
    """`adamw8bit` needs bitsandbytes."""
    precision: str = "bf16"
    """Of weights and arithmetic; master weights and optimiser are float32."""
    ema: float = 0.0
    """Decay of an average of the weights that is exported in their place; 0 is off."""
    workers: int = 2
    """Processes per rank that decode."""
    validate_every: int = 2000
    """Steps; 0 is never."""
    validation_samples: int = 8
    checkpoint_every: int = 1000
    keep_checkpoints: int = 3
    export_every: int = 10000
    """Steps; the official five files are written at the first checkpoint from each multiple on (0: at none), and at the end in any case."""
    engine: str = "auto"
    """`deepspeed`: ZeRO-2; `plain`: torch alone; `auto`: DeepSpeed where it is installed."""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise UsageError(f"{name} is one of {', '.join(map(str, choices))}, not {getattr(self, name)}")
        for name in _MORE_THAN_ZERO:
            if getattr(self, name) <= 0:
                raise UsageError(f"{name} must be more than 0, not {getattr(self, name)}")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must not be negative, and is {getattr(self, name)}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is a share from 0 to 1, not {getattr(self, name)}")
        for name in _DECAYS:
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} must be from 0 to less than 1, and is {getattr(self, name)}")
        most = self.model_config.unet.motion_frames
        if self.frames > most:
            raise UsageError(f"frames={self.frames}: the motion modules see at most {most} frames at once")
        if self.image_px % 64:
            raise UsageError(f"image_px={self.image_px}: the picture's side must be a multiple of 64")
        if self.batch_per_rank % self.accumulation:
            raise UsageError(f"accumulation={self.accumulation} does not divide batch_per_rank={self.batch_per_rank}")
        for column, values in self.labels.items():
            if column in _OWN_SETTING:
                raise UsageError(f"labels: {column} is chosen by the setting {_OWN_SETTING[column]}")
            if not values:
                raise UsageError(f"labels: {column} has no values")
        if not self.folder or Path(self.folder).name != self.folder or self.folder.startswith("."):
            raise UsageError(f"folder is the plain name of a folder, not {self.folder!r}")

    @property
    def model_config(self) -> ModelConfig:
        """Sizes of the networks."""
        return MODELS[self.model]

    @property
    def drop_rates(self) -> DropRates:
        """Of conditions."""
        return DropRates(self.unconditional, self.kps_drop, self.reference_drop)

    @property
    def filters(self) -> dict[str, tuple[str, ...]]:
        """Columns of `samples` and the values that a clip may have there, one of each column's."""
        wanted = {column: getattr(self, setting) for column, setting in _OWN_SETTING.items()} | dict(self.labels)
        return {column: values for column, values in wanted.items() if values}

    @property
    def silenced(self) -> bool:
        """True when it starts with motion modules and audio attention adding nothing."""
        return self.stage in SILENCED

    @property
    def motion(self) -> bool:
        """True when motion modules and audio attention run."""
        return self.stage not in WITHOUT_MOTION

    def exports_at(self, checkpoint: int) -> bool:
        """Whether a model is due since the checkpoint before this one, `checkpoint` being the step of one of every `checkpoint_every`."""
        return self.export_every > 0 and checkpoint % self.export_every < self.checkpoint_every

    def text(self) -> str:
        """As YAML that `read` takes."""
        return yaml.safe_dump({name: _plain(value) for name, value in asdict(self).items()}, sort_keys=False)


def _plain(value: Any) -> Any:
    """Lists and dicts in the place of what YAML has no word for."""
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    return list(value) if isinstance(value, tuple) else value


IN_SMOKE: Mapping[str, Any] = MappingProxyType(
    {
        "model": "smoke",
        "image_px": 128,
        "batch_per_rank": 2,
        "steps": 20,
        "learning_rate": 1e-3,
        "precision": "fp32",
        "reference_margin": 3,
        "workers": 0,
        "validate_every": 10,
        "validation_samples": 2,
        "checkpoint_every": 10,
        "export_every": 0,
    }
)
"""What `--smoke` changes in any stage; stages 2 and 3 also see fewer frames."""
SMOKE_FRAMES = 4


def read(stage: int, file: str | None = None, overrides: Mapping[str, str] | None = None, *, smoke: bool = False) -> Settings:
    """Settings of a stage: from `file` (YAML; a name without a folder may be one of `training/configs`), else its own; then `--smoke`, then `overrides`.

    Raises `MissingError` where the file is not there, `UsageError` for unknown names, values of a wrong kind, a file of another stage, and
    no speakers where they are needed.
    """
    source = file or f"stage_{stage}.yaml"
    values = _checked(_published(f"stage_{stage}.yaml") | ({} if file is None else _from(file)), source)
    if values["stage"] != stage:
        raise UsageError(f"{file} is for stage {values['stage']}, not for --stage {stage}")
    if smoke:
        values |= {**IN_SMOKE, "frames": min(values["frames"], SMOKE_FRAMES)}
        values["start"] = "random" if values["start"] == "initial" else values["start"]
    settings = changed(_settings(values, source), overrides or {})
    if settings.needs_speakers and not settings.speakers:
        raise UsageError(f"{source} learns the speakers of your choice, and none is said: --set speakers=[NAME]")
    return settings


def stored(file: str | Path) -> Settings:
    """What `Settings.text` wrote, into a file or an object. Raises `MissingError` where it is not there, `UsageError` where it is damaged."""
    text = storage.read_bytes(str(file))
    if text is None:
        raise MissingError(f"there are no settings at {file}")
    return _settings(of_file(text, str(file)), str(file))


def changed(settings: Settings, overrides: Mapping[str, str]) -> Settings:
    """With the words of `--set NAME=VALUE`. Raises `UsageError`."""
    return replace(settings, **_checked({name: of_word(name, text) for name, text in overrides.items()}, "--set"))


def _published(name: str) -> dict[str, Any]:
    return of_file(files("training.configs").joinpath(name).read_text(), name)


def _from(file: str) -> dict[str, Any]:
    place = Path(file).expanduser()
    if not place.is_file():
        known = files("training.configs").joinpath(place.name)
        if place.parent != Path() or place.suffix != ".yaml" or not known.is_file():
            raise MissingError(f"there is no configuration {file}")
        return _published(place.name)
    try:
        return of_file(place.read_bytes(), file)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _settings(values: Mapping[str, Any], source: str) -> Settings:
    checked = _checked(values, source)
    lacking = [one.name for one in fields(Settings) if one.name not in checked and one.default is one.default_factory is MISSING]
    if lacking:
        raise UsageError(f"{source} does not say {', '.join(lacking)}")
    return Settings(**checked)


def _checked(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    kinds = {one.name: one.type for one in fields(Settings)}
    unknown = [name for name in values if name not in kinds]
    if unknown:
        raise UsageError(f"{source}: there is no setting {unknown[0]!r}; the settings are {', '.join(kinds)}")
    return {name: as_kind(kinds[name], value, name, source) for name, value in values.items()}


_OPTIMISATION = {"learning_rate", "beta1", "beta2", "weight_decay", "epsilon", "clip_norm", "accumulation", "checkpointing", "ema", "engine", "lip_weight"}
_UPKEEP = {"start", "steps", "workers", "validate_every", "checkpoint_every", "keep_checkpoints", "export_every", "image_px", "needs_speakers"}
MAY_CHANGE = frozenset(_OPTIMISATION | _UPKEEP)
"""Settings that a resumed run may have otherwise than it began with. The others decide which samples come, or what the weights are."""


def continued(begun: Settings, wanted: Settings) -> Settings:
    """The settings for going on with a run. Raises `UsageError` where they ask for another run."""
    other = [name for name in asdict(wanted) if name not in MAY_CHANGE and getattr(begun, name) != getattr(wanted, name)]
    if other:
        name = other[0]
        raise UsageError(
            f"the run in {begun.folder} was begun with {name}={getattr(begun, name)}, not {getattr(wanted, name)}: "
            "leave it so, give another --output, or begin anew with --resume never"
        )
    return wanted
