"""Files that killed writers leave: hidden beside their final name, swept by name or by folder, and nothing else with them."""

from pathlib import Path

from schemas import storage, unfinished


def left_by_a_killed_writer(final: Path) -> Path:
    half = unfinished.beside(final)
    half.write_bytes(b"half")
    return half


def test_only_what_was_to_get_one_of_the_names_goes(tmp_path):
    mine = [left_by_a_killed_writer(tmp_path / name) for name in ("a b.mp4", "a b.mp4", "ü" * 120 + ".mp4")]
    kept = [tmp_path / name for name in ("a b.mp4", ".a b.mp4.part", ".c.mp4.0123456789ab.part.mp4", "b.mp4.0123456789ab.part")]
    for path in kept:
        path.write_bytes(b"whole")
    kept.append(left_by_a_killed_writer(tmp_path / "c.mp4"))
    finals = [str(tmp_path / "a b.mp4"), str(tmp_path / ("ü" * 120 + ".mp4")), str(tmp_path / "nowhere" / "x"), "s3a://bucket/a b.mp4"]
    assert unfinished.sweep(finals) == 3
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert not any(path.exists() for path in mine)
    assert unfinished.sweep(finals) == 0


def test_below_a_folder_all_of_them_go(tmp_path):
    (tmp_path / "deep" / ".hidden").mkdir(parents=True)
    for place in (tmp_path, tmp_path / "deep", tmp_path / "deep" / ".hidden"):
        left_by_a_killed_writer(place / "x.json")
        (place / "x.json").write_bytes(b"whole")
    assert unfinished.sweep_below(tmp_path) == 3
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["x.json"] * 3
    assert unfinished.sweep_below(tmp_path / "nowhere") == 0


def test_what_storage_is_writing_is_such_a_file(tmp_path):
    with storage.writing(str(tmp_path / "x.json")) as file:
        file.write(b"{}")
        assert unfinished.sweep_below(tmp_path / "elsewhere") == 0
        (half,) = tmp_path.iterdir()
        assert half.name.startswith(".x.json.")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
