"""The scorer `dover`: which views it shows the network, and what it makes of the answer."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from schemas.errors import MissingError, VerificationError
from schemas.scores import DOVER
from tests.udfs.nets.golden_rules import texture, write_golden_checkpoint
from tests.udfs.watching import clip_of, watch
from udfs import weights
from udfs.dover import Dover, DoverConfig
from udfs.nets.dover import network as nets
from udfs.nets.dover.onnx_export import export
from udfs.nets.dover.onnx_session import INPUTS, OnnxJudge
from udfs.nets.dover.scores import dover_scores, overall
from udfs.nets.dover.swin3d import Block as SwinBlock
from udfs.nets.dover.torch_session import looked_up
from udfs.nets.dover.views import normal_values, normalised, resized
from udfs.registry import build, scorer_fingerprint
from udfs.scorer import Device, Reduced

NAMES = [column.name for column in DOVER]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A weights folder with a checkpoint of golden weights."""
    place = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TALKVID_WEIGHTS", str(place / "installed"))
        weights.add(write_golden_checkpoint(nets.Dover(), place / "some.pth"))
    (place / "some.pth").unlink()
    return place / "installed"


@pytest.fixture
def installed(folder, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(folder))


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))


class Means:
    """A judge that answers with means of what it was shown."""

    def __init__(self) -> None:
        self.shapes = []

    def __call__(self, aesthetic, technical):
        self.shapes.append((aesthetic.shape, technical.shape))
        assert aesthetic.dtype == technical.dtype == np.uint8
        return aesthetic.mean((1, 2, 3, 4)).tolist(), technical.reshape(len(aesthetic), -1).mean(1).tolist()


def judged_by_means(batch: int = 1, **config: bool) -> tuple[Dover, Means]:
    scorer, judge = Dover(DoverConfig(**config)), Means()
    scorer._judge, scorer._batch = judge, batch
    scorer.setup = lambda device: None
    return scorer, judge


def view_of(scorer: Dover, name: str, frames: np.ndarray) -> Reduced:
    clip = replace(clip_of(frames, [], len(frames) / 25), clip_id=name)
    view = Reduced(clip)
    for index in scorer.plan(clip, [number / 25 for number in range(len(frames))]):
        view.indices.append(index)
        view.frames.append(scorer.reduce(clip, frames[index], index))
    return view


def test_values_of_golden_weights_change_only_with_the_version(installed):
    """The whole way from a checkpoint: an odd size, portrait, fewer frames than any plan asks for."""
    values = watch(Dover(), texture(5, 131, 98, 7), 25.0)
    assert Dover.version == 1
    assert values == pytest.approx({"aesthetic": 0.0914373, "technical": 0.1393504, "overall": 0.8941613, "dover_scores": 4.6}, abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 33, 300), (40, 225, 127), (130, 48, 40)])
def test_every_shape_gives_all_four_values(shape):
    scorer, judge = judged_by_means()
    values = watch(scorer, texture(*shape, 1))
    assert list(values) == NAMES
    assert all(isinstance(value, float) for value in values.values())
    assert judge.shapes == [((1, 32, 224, 224, 3), (3, 32, 224, 224, 3))]
    assert values["overall"] == overall(values["aesthetic"], values["technical"])
    assert values["dover_scores"] == dover_scores(values["aesthetic"])


def test_a_picture_smaller_than_a_fragment_has_no_values():
    scorer, judge = judged_by_means()
    assert watch(scorer, texture(3, 31, 200, 1)) == dict.fromkeys(NAMES)
    assert judge.shapes == []


def test_aesthetic_view_is_the_spread_frames_resized():
    scorer, _ = judged_by_means()
    frames = texture(32, 60, 80, 2)
    expected = np.stack([resized(frame, antialias=False) for frame in frames]).mean()
    assert watch(scorer, frames)["aesthetic"] == pytest.approx(expected, abs=1e-6)


def test_antialiasing_is_a_choice():
    frames = texture(3, 500, 700, 3)
    (plain, _), (smooth, _) = judged_by_means(), judged_by_means(antialias=True)
    assert watch(plain, frames)["aesthetic"] != watch(smooth, frames)["aesthetic"]
    assert watch(plain, frames)["technical"] == watch(smooth, frames)["technical"]


def test_the_clip_id_settles_what_is_looked_at():
    frames = texture(250, 72, 64, 4)
    frames = np.concatenate([frames, frames[:, ::-1]], axis=1).repeat(4, axis=1).repeat(6, axis=2)
    scorer, _ = judged_by_means()
    one, again, other = (scorer.score([view_of(scorer, name, frames)])[0] for name in ("a", "a", "b"))
    assert one == again
    assert one["technical"] != other["technical"]


def test_values_do_not_depend_on_the_batch():
    clips = [texture(4, 50, 60, seed) for seed in range(5)]
    alone, _ = judged_by_means()
    together, judge = judged_by_means(batch=4)
    expected = [alone.score([view_of(alone, str(number), frames)])[0] for number, frames in enumerate(clips)]
    built, views_of = 0, together._views

    def counted(clip):
        nonlocal built
        built += 1
        return views_of(clip)

    together._views = counted
    found = together.score([view_of(together, str(number), frames) for number, frames in enumerate(clips)])
    assert found == [pytest.approx(values) for values in expected]
    assert built == len(clips), "a batch is filled with the last clip's views, not with views made again"
    assert judge.shapes == [((4, 32, 224, 224, 3), (12, 32, 224, 224, 3))] * 2


def test_frames_are_let_go_of():
    """Views of a 1080p clip stay below 20 MB, whatever the clip's length."""
    scorer, _ = judged_by_means()
    frames = np.zeros((1, 1080, 1920, 3), np.uint8)
    clip = clip_of(np.broadcast_to(frames, (750, 1080, 1920, 3)), [], 30.0)
    kept = [scorer.reduce(clip, frames[0], index) for index in scorer.plan(clip, [number / 25 for number in range(750)])]
    pictures = [picture for pieces in kept for picture in (*pieces.mosaics.values(), pieces.whole) if picture is not None]
    assert len(kept) <= 128
    assert sum(picture.nbytes for picture in pictures) < 20e6
    assert all(picture.base is None or picture.base.nbytes <= picture.nbytes for picture in pictures)


def test_missing_weights_are_one_sentence(empty):
    with pytest.raises(MissingError, match="weights fetch dover.*weights add FILE --name dover.*licence: MIT"):
        build(["dover"])
    with pytest.raises(MissingError, match="weights export dover"):
        build(["dover"], {"dover": DoverConfig(onnx=True)})


def test_fingerprint_tells_configurations_apart(installed):
    assert scorer_fingerprint(Dover()) != scorer_fingerprint(Dover(DoverConfig(antialias=True)))


def _means_model(file, shapes, dtype=TensorProto.FLOAT):
    inputs = [helper.make_tensor_value_info(name, dtype, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info(name, dtype, None) for name in ("a", "t")]
    axes = helper.make_tensor("axes", TensorProto.INT64, [4], [1, 2, 3, 4])
    nodes = [helper.make_node("ReduceMean", [name, "axes"], [output], keepdims=0) for name, output in zip(shapes, ("a", "t"))]
    model = helper.make_model(helper.make_graph(nodes, "means", inputs, outputs, [axes]), opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, file)
    return file


def test_an_export_is_run_video_by_video(tmp_path):
    judge = OnnxJudge(_means_model(tmp_path / "dover.onnx", INPUTS), Device())
    random = np.random.default_rng(0)
    views = {name: (2 * clips, frames, 224, 224, 3) for name, (clips, _, frames, _, _) in INPUTS.items()}
    brightest = np.arange(20, 260, 40)[:, None, None, None, None]
    aesthetic, technical = (random.integers(brightest[: size[0]], size=size).astype(np.uint8) for size in views.values())
    found = judge(aesthetic, technical)
    assert found[0] == pytest.approx([normalised(view).mean() for view in aesthetic], abs=1e-3)
    assert found[1] == pytest.approx(np.reshape([normalised(view).mean() for view in technical], (2, -1)).mean(1), abs=1e-3)


def _colours_model(file, aesthetic, technical):
    """An export whose scores, one a frame and segment, are the view's mean red, green and blue, each weighted."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in INPUTS.items()]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("a", "t")]
    constants, nodes = [helper.make_tensor("axes", TensorProto.INT64, [3], [1, 3, 4])], []
    for name, output, weighted in zip(INPUTS, ("a", "t"), (aesthetic, technical)):
        constants.append(helper.make_tensor(f"{output}_weights", TensorProto.FLOAT, [1, 3, 1, 1, 1], weighted))
        nodes += [
            helper.make_node("Mul", [name, f"{output}_weights"], [f"{output}_weighted"]),
            helper.make_node("ReduceMean", [f"{output}_weighted", "axes"], [output], keepdims=0),
        ]
    model = helper.make_model(helper.make_graph(nodes, "colours", inputs, outputs, constants), opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, file)
    return file


def test_an_export_in_the_weights_folder_gives_a_clips_four_values(empty, tmp_path):
    """The whole way, from the manifest's place to the fused scores, with raw ones that are known for a clip of one colour."""
    red, green, blue = (200 - 123.675) / 58.395, (120 - 116.28) / 57.12, (30 - 103.53) / 57.375
    weights.add(_colours_model(tmp_path / "some.onnx", (0.3, -0.6, 0.0), (0.0, 0.9, 0.3)), "dover-onnx")
    (scorer,) = build(["dover"], {"dover": DoverConfig(onnx=True)})
    values = watch(scorer, np.full((40, 90, 240, 3), (200, 120, 30), np.uint8))
    aesthetic, technical = values["aesthetic"], values["technical"]
    assert aesthetic == pytest.approx((0.3 * red - 0.6 * green) / 3, abs=5e-4)
    assert technical == pytest.approx((0.9 * green + 0.3 * blue) / 3, abs=5e-4)
    fused = 0.6104 * (aesthetic - 0.1107) / 0.07355 + 0.3896 * (technical + 0.08285) / 0.03774
    assert values["overall"] == pytest.approx(1 / (1 + np.exp(-fused)), abs=1e-9)
    assert values["dover_scores"] == dover_scores(aesthetic) != dover_scores(technical)


def test_values_looked_up_on_a_device_are_those_of_a_cpu():
    views = np.stack([texture(3, 40, 50, seed) for seed in (0, 1)])
    found = looked_up(torch.from_numpy(normal_values()), torch.from_numpy(views))
    assert np.array_equal(found.numpy(), np.stack([normalised(view) for view in views]))


def test_another_onnx_file_is_refused_in_one_sentence(tmp_path):
    other = _means_model(tmp_path / "four.onnx", INPUTS | {"tech_view": [4, 3, 32, 224, 224]})
    with pytest.raises(VerificationError, match="weights export dover"):
        OnnxJudge(other, Device())
    half = _means_model(tmp_path / "half.onnx", INPUTS, TensorProto.FLOAT16)
    with pytest.raises(VerificationError, match=r"float32: it takes or gives tensor\(float16\); `talkvid weights export dover`"):
        OnnxJudge(half, Device())
    for content in (b"no model", b""):
        (tmp_path / "no.onnx").write_bytes(content)
        with pytest.raises(VerificationError, match="no ONNX file"):
            OnnxJudge(tmp_path / "no.onnx", Device())


class SmallNetwork(torch.nn.Module):
    """A shifted block of each backbone, as an export sees them."""

    def __init__(self) -> None:
        super().__init__()
        self.technical = SwinBlock(96, shifted=True, gated=True)
        self.aesthetic = nets.AestheticBackbone().stages[0]

    def forward(self, aes_view, tech_view):
        return self.aesthetic(aes_view * 1), self.technical(tech_view * 1)


def test_an_export_answers_as_the_network_does(tmp_path):
    import onnxruntime

    network = SmallNetwork().eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05, generator=torch.Generator().manual_seed(0))
    views = torch.randn(1, 3, 9, 10, 96), torch.randn(2, 9, 8, 10, 96)
    export(network, *views, tmp_path / "some.onnx")
    found = onnxruntime.InferenceSession(tmp_path / "some.onnx", providers=["CPUExecutionProvider"]).run(
        None, {name: view.numpy() for name, view in zip(("aes_view", "tech_view"), views)}
    )
    with torch.no_grad():
        for one, other in zip(found, network(*views)):
            torch.testing.assert_close(torch.from_numpy(one), other, atol=1e-4, rtol=0)
