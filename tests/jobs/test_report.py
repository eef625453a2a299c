"""`talkvid report`: one page that tells all, loads nothing, runs nothing."""

import base64
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from jobs import metadata
from jobs.arguments import verb_parser
from jobs.cli import Sessions, execute
from jobs.report import JOB, ReportConfig
from jobs.report_page.distributions import nice_ticks
from jobs.report_page.render import counted, hours, plain
from schemas.active_policy import make_active
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy, Rule
from udfs.footage import tiny_video
from udfs.media import probe

HOSTILE = """</title></style><script>document.title='owned'</script><img src=x onerror="document.title='owned'">'"&\u202e"""
POLICY = Policy(
    "two-rules",
    (
        Rule("speech", "speech_ratio", ">=", 0.5, "Somebody <b>speaks</b>."),
        Rule("sharp", "technical.sharpness", "between", (10.0, 300.0), "Not blurred."),
    ),
)
SHARPNESS = {"a-1": 100.0, "a-2": 5.0, "a-3": 50.0, "b-1": 120.0, "b-2": None, "b-3": 400.0}
SPEECH = {"a-1": 0.9, "a-2": 0.9, "a-3": 0.1, "b-1": 0.8, "b-2": 0.9, "b-3": 0.9}
KEPT = {"a-1", "b-1"}


def make_lake(root: Path, media: Path, fingerprint: str = "technical-v1-0") -> Lake:
    """Six clips of two videos, of which the policy keeps two; every free text is hostile."""
    lake = Lake.at(str(root))
    lake.ledger.create()
    facts = probe(media)
    row = {"uri": str(media), "sha256": "0", "width": facts.width, "height": facts.height, "fps": facts.fps, "duration_s": 1.2}
    row |= {"source": {"title": HOSTILE, "channel": HOSTILE, "url": "https://example.org/x"}}
    row |= {"labels": {"language": HOSTILE, "speaker_id": HOSTILE, "age_group": "31-45", "gender": HOSTILE}}
    lake.ledger.append("videos", [row | {"video_id": "a"}, row | {"video_id": "b", "source": None, "labels": None}])
    clip = {"preset": "default", "shot_index": 0}
    spans = {"1": (0.0, 0.4), "2": (0.4, 0.8), "3": (0.8, 1.2)}
    lake.ledger.append(
        "clips",
        [
            clip | {"clip_id": name, "video_id": name[0], "start_s": spans[name[2]][0], "end_s": spans[name[2]][1], "speech_ratio": SPEECH[name]}
            for name in SPEECH
        ],
    )
    score = {"run_id": "r", "scored_at": now()}
    measured = {name: value for name, value in SHARPNESS.items() if value is not None}
    rows = [score | {"clip_id": name, "technical": {"sharpness": value, "fingerprint": fingerprint}} for name, value in measured.items()]
    lake.ledger.append("scores", rows)
    failure = {"entity": f"/x/{HOSTILE}.mp4", "stage": "ingest", "code": "truncated", "detail": HOSTILE, "retryable": False, "attempt": 1, "at": now()}
    lake.ledger.append("failures", [failure])
    lake.ledger.append("sources", [{"uri": "x", "outcome": outcome, "seen_at": now()} for outcome in ("registered", "registered", "failed")])
    metadata.refresh(lake)
    make_active(lake.ledger, POLICY)
    return lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    folder = tmp_path_factory.mktemp("report")
    return make_lake(folder / "lake", tiny_video(folder / "it's; a <b>.mp4", seconds=1.2, size=(160, 120)))


def report(lake: Lake, config: ReportConfig):
    """The report as the command line runs it, where a session would fail to start."""
    return execute(JOB, lake, config, Sessions("spark://nowhere:1", {}))


@pytest.fixture(scope="module")
def written(lake) -> str:
    summary = report(lake, ReportConfig())
    assert summary.results == str(Path(lake.place.root, "report.html")) == summary.outputs[0]
    assert summary.counts == {"in": 6, "clips": 6, "kept": 2, "rejected": 4}
    return Path(summary.results).read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.text += " "

    def handle_data(self, data):
        self.text += data

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def assert_harmless(page: str) -> None:
    """Nothing in the page runs or loads."""
    elements = Elements(page)
    assert not {tag for tag, _ in elements.found} & {"script", "iframe", "object", "embed", "link", "base", "form", "foreignobject"}
    for _, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on")]
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in elements.of("img"))
    assert all(link["href"].startswith("#") for link in elements.of("a"))
    assert "url(" not in page and "@import" not in page


def test_hostile_texts_stay_texts(written):
    assert_harmless(written)
    assert "default-src 'none'" in next(meta["content"] for meta in Elements(written).of("meta") if meta.get("http-equiv"))
    assert "<script>document.title" in Elements(written).text
    assert "\u202e" not in written


def test_funnel_has_every_rule_with_its_expression_reason_and_counts(written):
    text = " ".join(Elements(written).text.split())
    assert "ingested 2 registered, 1 failed" in text
    assert "speech speech_ratio >= 0.5 Somebody <b>speaks</b>. 5" in text
    assert "sharp technical.sharpness BETWEEN 10 AND 300 Not blurred. 2 1 s 3 1 without a value" in text


def test_frames_of_kept_and_dropped_clips_are_real_pictures_with_their_reasons(written):
    pictures = [base64.b64decode(image["src"].partition(",")[2]) for image in Elements(written).of("img")]
    assert len(pictures) == 6
    assert all(picture.startswith(b"\xff\xd8") and len(picture) > 1000 for picture in pictures)
    text = " ".join(Elements(written).text.split())
    assert "technical.sharpness is 5, must be BETWEEN 10 AND 300" in text
    assert "no value for sharp" in text
    assert "speech_ratio is 0.1, must be >= 0.5" in text
    kept = {image["alt"].rpartition(" ")[2] for image in Elements(written.partition("Dropped:")[0]).of("img")}
    assert kept == KEPT


def test_histograms_count_every_value_and_draw_the_thresholds(written):
    plot = re.search(r"<h3>technical.sharpness</h3>.*?</svg>", written, re.DOTALL)[0]
    assert re.findall(r'<text class="threshold"[^>]*>([^<]*)', plot) == ["10", "300"]
    passing = sum(int(count) for count in re.findall(r'class="bar" [^>]*><title>(\d+)', plot))
    failing = sum(int(count) for count in re.findall(r'class="bar failing" [^>]*><title>(\d+)', plot))
    assert (passing, failing) == (3, 2)


def test_failures_are_listed_with_code_meaning_and_example(written):
    text = " ".join(Elements(written).text.split())
    assert "truncated ingest 1 the file ends before its contents do" in text


def test_diversity_compares_kept_with_all(written):
    text = " ".join(Elements(written).text.split())
    assert "31-45 1 of 3" in text and "not stated 1 of 3" in text
    assert "under 360 2 of 6" in text


def test_a_page_that_is_up_to_date_is_left_alone(lake, written):
    path = Path(lake.place.root, "report.html")
    before = path.stat().st_mtime_ns
    assert report(lake, ReportConfig()).counts == {"in": 0, "clips": 6, "kept": 2, "rejected": 4}
    assert path.stat().st_mtime_ns == before
    lake.ledger.append("failures", [{"entity": "y", "stage": "ingest", "code": "not_media", "at": now()}])
    assert report(lake, ReportConfig()).counts["in"] == 6
    assert "not_media" in path.read_text()


def test_another_policy_can_be_shown_without_making_it_active(lake, tmp_path):
    (tmp_path / "loud.yaml").write_text("name: loud\nrules: [{name: loud, column: speech_ratio, op: '>=', value: 0.85}]")
    summary = report(lake, ReportConfig(str(tmp_path / "page.html"), str(tmp_path / "loud.yaml")))
    assert summary.counts["kept"] == 4
    assert "not the active policy" in (tmp_path / "page.html").read_text()


def test_random_weights_are_named_in_the_first_line(tmp_path, lake):
    media = Path(lake.ledger.read("videos").to_pylist()[0]["uri"])
    other = make_lake(tmp_path / "lake", media, fingerprint="random:technical-v1-0")
    summary = report(other, ReportConfig())
    assert summary.notes[0] == "RANDOM WEIGHTS: technical scores of 5 of 6 clips mean nothing"
    body = Path(summary.results).read_text().partition("<body>")[2]
    assert Elements(body).text.strip().startswith("Scores of technical come from random weights: their numbers mean nothing.")


def test_a_training_that_goes_on_is_no_finished_run(tmp_path):
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    make_active(lake.ledger, POLICY)
    lake.ledger.append("runs", [{"run_id": "train-1", "verb": "train", "complete": False, "started": now()}])
    assert '<td class="name">train</td>' not in Path(report(lake, ReportConfig(out=None)).outputs[0]).read_text()


def test_a_vanished_video_leaves_an_empty_tile_and_an_empty_lake_an_empty_page(tmp_path):
    media = tiny_video(tmp_path / "a.mp4", seconds=1.2, size=(160, 120))
    lake = make_lake(tmp_path / "lake", media)
    media.unlink()
    page = Path(report(lake, ReportConfig()).results).read_text()
    assert "the file was there before and is gone" in page and "<img" not in page
    empty = Lake.at(str(tmp_path / "empty"))
    empty.ledger.create()
    page = Path(report(empty, ReportConfig()).results).read_text()
    assert "There are no clips." in page and "no policy is active yet" in page


def test_without_a_lake_one_sentence_says_what_to_do(tmp_path):
    with pytest.raises(MissingError, match="talkvid ingest"):
        report(Lake.at(str(tmp_path / "nowhere")), ReportConfig())


def test_a_name_that_is_no_html_file_is_refused(tmp_path):
    for name in (str(tmp_path), "report.pdf"):
        with pytest.raises(UsageError, match="HTML"):
            JOB.configure(verb_parser(JOB).parse_args([name]))


def test_the_page_renders_in_a_browser_and_no_script_runs(written, lake, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here")
    (tmp_path / "page.html").write_text(written)
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command = [chromium, "--headless", "--no-sandbox", *quiet, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "page.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert_harmless(shown)
    assert "<title>TalkVid on Spark: report</title>" in shown
    assert "<h1>2 of 6 clips kept</h1>" in shown


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.3, 17.2), (5.98, 785), (99.2, 100), (0.001, 0.0013), (3, 3), (0, 0), (-5, -5)])
def test_axes_have_few_round_ticks_around_all_values(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low and high <= ticks[-1] and 2 <= len(ticks) <= 8
    assert len({round(b - a, 9) for a, b in zip(ticks, ticks[1:])}) == 1


def test_numbers_and_texts_read_well():
    assert [hours(value) for value in (1 / 3600, 0.5, 2.0, 1234.5)] == ["1 s", "30.0 min", "2.0 h", "1,234 h"]
    assert (counted(1, "clip"), counted(1200, "clip")) == ("1 clip", "1,200 clips")
    assert plain("a\n b\u202ec") == "a b\\u202ec"
    assert len(plain("x" * 1000)) == 160
