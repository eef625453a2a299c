"""The four networks that are trained, as one module (vexpress.md §0, §11.1)."""

from torch import Tensor, nn

from training.model.audio_projection import AudioProjection
from training.model.condition_drops import Drops
from training.model.conditions import Conditions
from training.model.config import FULL, ModelConfig
from training.model.denoising_unet import DenoisingUNet
from training.model.reference_net import ReferenceNet
from training.model.vkps_guider import VKpsGuider


class VExpress(nn.Module):
    """ReferenceNet, denoising UNet, V-Kps guider and audio projection. Frozen VAE and wav2vec2 are not part of it."""

    def __init__(self, config: ModelConfig = FULL) -> None:
        super().__init__()
        self.config = config
        self.reference_net = ReferenceNet(config.unet)
        self.denoising_unet = DenoisingUNet(config.unet)
        self.v_kps_guider = VKpsGuider(config.guider_channels, config.unet.channels[0])
        self.audio_projection = AudioProjection(config.audio_projection, config.unet.context_width)

    def forward(
        self,
        noisy: Tensor,
        timesteps: Tensor,
        reference_latents: Tensor,
        kps_images: Tensor,
        audio_windows: Tensor | None,
        drops: Drops | None = None,
        *,
        motion: bool = True,
    ) -> Tensor:
        """v for noisy latents (b, 4, f, h, w) at timesteps (b,), as in training: weights 1, conditions dropped as `drops` says.

        `reference_latents` (b, 4, h, w); `kps_images` (b, 3, f, 8 h, 8 w) in 0..1; `audio_windows` (b, f, rows, features). Without audio windows and
        without motion nothing changes while the last layers of those attentions and modules are zero, as in stage 1.
        All networks run whatever is dropped, so that the same parameters get gradients on every rank; those of dropped parts are zero.
        """
        conditions = Conditions(
            kps_features=self.v_kps_guider(kps_images),
            audio_tokens=None if audio_windows is None else self.audio_projection(audio_windows),
            reference=self.reference_net(reference_latents),
        )
        return self.denoising_unet(noisy, timesteps, conditions if drops is None else drops.applied(conditions), motion=motion)

    def use_checkpointing(self, *, denoising_unet: bool, reference_net: bool = False) -> None:
        """Keep only the inputs of the UNets' layers for the backward pass: a third more arithmetic, a fraction of the memory."""
        self.denoising_unet.checkpointing = denoising_unet
        self.reference_net.checkpointing = reference_net
