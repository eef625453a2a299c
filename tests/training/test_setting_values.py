"""What is written as a setting, and what it is read as."""

import pytest

from schemas.errors import UsageError
from training.stages import changed, continued, read, stored


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("no", ("no",)),
        ("off", ("off",)),
        ("0", ("0",)),
        ("~", ("~",)),
        ("#5", ("#5",)),
        ("[no, 0012, 1e3]", ("no", "0012", "1e3")),
        ("[Ana B, 'x, y']", ("Ana B", "x, y")),
        ("@ana", ("@ana",)),
        ("", ()),
        ("[]", ()),
    ],
)
def test_names_are_what_was_written_wherever_they_are_written(text, names, tmp_path):
    assert changed(read(3), {"speakers": text}).speakers == names
    file = tmp_path / "mine.yaml"
    file.write_text(changed(read(3), {"speakers": text, "languages": text}).text())
    assert (stored(file).speakers, read(3, str(file)).languages) == (names, names)


def test_names_in_a_file_of_ones_own_are_what_was_written(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("languages: no\nspeakers: [0012, off]\nsteps: 5\n")
    settings = read(3, str(file))
    assert (settings.languages, settings.speakers, settings.steps) == (("no",), ("0012", "off"), 5)


@pytest.mark.parametrize("text", ["{a: b}", "[[a]]", "['']", "[a, {b: c}]"])
def test_what_is_no_list_of_names_is_refused(text):
    with pytest.raises(UsageError, match="languages is a list of names, not"):
        changed(read(3), {"languages": text})


@pytest.mark.parametrize("text", ["2024-99-99", "folder: [", "- a list", ""])
def test_what_is_no_settings_is_refused_in_a_sentence(text, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(f"folder: {text}" if text.startswith("2") else text)
    for reader in (stored, lambda place: read(3, str(place))):
        with pytest.raises(UsageError, match=r"config.yaml (is no YAML|holds no settings)"):
            reader(file)


def test_labels_are_columns_and_the_values_that_clips_may_have_there(tmp_path):
    settings = changed(read(3), {"labels": "{gender: [female], age_group: 20, category: no}", "languages": "en"})
    assert settings.filters == {"language": ("en",), "gender": ("female",), "age_group": ("20",), "category": ("no",)}
    (tmp_path / "config.yaml").write_text(settings.text())
    assert stored(tmp_path / "config.yaml") == settings
    assert changed(settings, {"labels": ""}).filters == {"language": ("en",)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("female", "labels is {COLUMN"),
        ("{gender: [[a]]}", "labels.gender is a list of names"),
        ("{gender: []}", "gender has no values"),
        ("{language: en}", "chosen by the setting languages"),
        ("[gender]", "labels is {COLUMN"),
    ],
)
def test_labels_that_choose_nothing_are_refused(text, sentence):
    with pytest.raises(UsageError, match=sentence):
        changed(read(3), {"labels": text})


def test_a_run_is_not_gone_on_with_on_other_labels():
    begun = changed(read(3), {"labels": "{gender: female}"})
    with pytest.raises(UsageError, match="was begun with labels="):
        continued(begun, read(3))
