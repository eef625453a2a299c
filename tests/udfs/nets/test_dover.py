import pytest
import torch

from tests.udfs.nets import dover_cases as cases
from tests.udfs.nets.golden_rules import Golden, load_golden_weights
from udfs.nets import expected, tiles
from udfs.nets.dover import sampling
from udfs.nets.dover.network import Dover, raw_scores
from udfs.nets.dover.sampling import sample
from udfs.nets.dover.windows import OTHER_REGION, windows_of


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden.of("dover")


@pytest.fixture(scope="module")
def network() -> Dover:
    torch.set_num_threads(1)
    return load_golden_weights(Dover())


def test_keys_and_shapes_are_those_of_the_official_checkpoint(network):
    state = network.state_dict()
    assert list(state) == list(expected.shapes("dover"))
    assert expected.differences("dover", {key: tuple(value.shape) for key, value in state.items()}) == []
    assert sum(parameter.numel() for parameter in network.parameters()) == 56_218_302


def test_first_differences_of_another_checkpoint_are_named():
    found = dict(expected.shapes("dover"))
    del found["technical_head.fc_last.bias"]
    found["aesthetic_head.fc_hid.bias"] = (65,)
    found["optimizer"] = (1,)
    assert expected.differences("dover", found) == [
        "technical_head.fc_last.bias is missing",
        "optimizer is not part of dover",
        "aesthetic_head.fc_hid.bias is [65], expected [64]",
    ]


@pytest.mark.parametrize("case", ["A", "B"])
def test_features_maps_and_scores_are_the_original_networks(network, golden, case):
    found = list(cases.network_deviations(network, golden, case))
    assert len(found) > 100
    assert [deviation for deviation in found if not deviation.within] == []


@pytest.mark.parametrize("of", [cases.sampling_deviations, cases.fragment_deviations, cases.resize_deviations, cases.released_score_deviations])
def test_views_and_released_scores_are_the_originals(golden, of):
    found = list(of(golden))
    assert found
    assert [deviation for deviation in found if not deviation.within] == []


def test_work_in_tiles_equals_work_in_one_piece(network, golden, monkeypatch):
    views = torch.randn(2, 3, 18, 72, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        tiled = network.technical_map(views), network.aesthetic_map(views)
        monkeypatch.setattr(tiles, "CPU_ROWS", 10**9)
        whole_rows = network.technical_map(views), network.aesthetic_map(views)
        monkeypatch.setattr("udfs.nets.dover.swin3d.rows_at_once", lambda x: None)
        whole = network.technical_map(views), network.aesthetic_map(views)
    for one, other, third in zip(tiled, whole_rows, whole):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=0)
        torch.testing.assert_close(one, third, atol=2e-6, rtol=0)


def test_scores_of_a_video_do_not_depend_on_the_others_in_the_batch(network):
    random = torch.Generator().manual_seed(1)
    aesthetic, technical = torch.randn(2, 3, 8, 64, 64, generator=random), torch.randn(6, 3, 8, 64, 64, generator=random)
    together = raw_scores(network, aesthetic, technical)
    alone = raw_scores(network, aesthetic[1:], technical[3:])
    assert together[0][1] == pytest.approx(alone[0][0], abs=1e-6)
    assert together[1][1] == pytest.approx(alone[1][0], abs=1e-6)


def test_bfloat16_stays_near_float32(network):
    random = torch.Generator().manual_seed(2)
    views = torch.randn(1, 3, 16, 64, 64, generator=random), torch.randn(3, 3, 16, 64, 64, generator=random)
    exact = raw_scores(network, *views)
    half = load_golden_weights(Dover()).in_dtype(torch.bfloat16)
    for one, other in zip(exact, raw_scores(half, *views)):
        assert one[0] == pytest.approx(other[0], abs=2e-3)


def test_odd_sizes_are_padded_in_the_patch_embedding(network):
    """Padding with zeros at the end is what the backbone does itself."""
    video = torch.randn(1, 3, 5, 34, 39, generator=torch.Generator().manual_seed(3))
    padded = torch.nn.functional.pad(video, (0, 1, 0, 2, 0, 1))
    with torch.inference_mode():
        assert torch.equal(network.technical_map(video), network.technical_map(padded))


def test_small_windows_shrink_with_the_grid():
    windows = windows_of((3, 5, 14), shifted=True)
    assert windows.tokens.shape == (1, 2, 3 * 5 * 7)
    assert not windows.padded
    assert set(windows.tokens.flatten().tolist()) == set(range(3 * 5 * 14))


def test_fragments_of_small_windows_are_those_of_the_shrunk_window():
    """Five rows of tokens are five fragments; fourteen columns are seven, two tokens each, rolled by three where windows are shifted."""
    for shifted, columns in ((False, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]), (True, [1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 0, 0, 1])):
        rows, found = windows_of((8, 5, 14), shifted=shifted).fragment.view(2, 2, 8, 5, 7)
        assert (rows == torch.arange(5.0)[:, None]).all()
        assert found[:, 0, 0].flatten().tolist() == columns
        assert (found == found[:, :1, :1]).all()


def test_fragments_are_counted_not_merely_told_apart():
    gap = windows_of((8, 14, 14), shifted=False).fragment_gap()
    assert gap.shape == (4, 392, 392)
    assert gap.max() == 6
    assert set(gap.unique().tolist()) == set(range(7))


def test_tokens_of_other_regions_are_masked_by_a_hundred():
    mask = windows_of((16, 14, 14), shifted=True).region_mask()
    assert set(mask.unique().tolist()) == {OTHER_REGION, 0.0}
    assert (mask[0, 0] == 0).all()
    assert (mask[1, 0] != 0).any()


def test_sampling_is_settled_by_the_seed():
    one, same, other = (sample(seed, 300, 1080, 1920) for seed in ("a", "a", "b"))
    assert all((getattr(one, name) == getattr(same, name)).all() for name in ("technical", "aesthetic", "rows", "columns"))
    assert any((getattr(one, name) != getattr(other, name)).any() for name in ("technical", "aesthetic", "rows", "columns"))


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 224, 224), (2, 400, 90), (31, 1920, 1080), (121, 1080, 1920), (5000, 33, 32)])
def test_every_sample_lies_within_the_video(frames, height, width):
    found = sample("clip", frames, height, width)
    assert found.technical.shape == (96,)
    assert found.aesthetic.shape == (32,)
    for indices in (found.technical, found.aesthetic):
        assert 0 <= indices.min() <= indices.max() < frames
    for moves, side in ((found.rows, height), (found.columns, width)):
        assert moves.shape == (3, 7, 7)
        assert 0 <= moves.min() <= moves.max() < sampling.cell_slack_px(side)
