"""Downloads through yt-dlp's Python API: picture and sound as separate files, joined by ours; subtitles and provenance kept.

yt-dlp starts no ffmpeg here and writes no name of its own: every file has a fixed name in the folder it was given.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.codes import Rejected
from udfs.limits import DEFAULT_LIMITS, Limits
from udfs.media import join
from udfs.sources.patience import back_off_s, patiently, wait_turn
from udfs.sources.shelf import suffix
from udfs.sources.text import clean

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

JOINED_NAME, PROVENANCE_NAME = "video.mp4", "provenance.json"
FIRST_BACK_OFF_S = 2.0
SOCKET_TIMEOUT_S = 30.0
LONGEST_DOWNLOAD_S = 6 * 3600.0
SORT = ("res", "fps", "hdr:SDR", "vcodec:h264", "acodec:m4a")
"""Among formats of one size H.264 first: the cheapest to decode many times."""

_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Download:
    """How to fetch: the largest picture height in pixels, a cookies file's text, seconds between the starts of two downloads on
    one machine, and how often one is tried again."""

    max_height: int = 1080
    cookies: str | None = None
    sleep_s: float = 5.0
    retries: int = 3
    first_back_off_s: float = FIRST_BACK_OFF_S


@dataclass(frozen=True)
class Fetched:
    """What a download left in its folder. `source` has the names of `videos.source`."""

    video: Path
    subtitle: Path | None
    source: dict[str, str | None]
    remarks: tuple[str, ...] = ()


class RemovedError(Exception):
    """The video's channel was removed from this lake, so nothing was fetched."""


def fetch(
    url: str,
    folder: Path,
    options: Download,
    removed_channels: frozenset[str] = frozenset(),
    limits: Limits = DEFAULT_LIMITS,
    *,
    asked: str | None = None,
) -> Fetched:
    """Fetch one video into `folder`, from `asked` where the site wants credentials that `url` lacks;
    what an earlier call finished there is used again, what it began is gone on with.

    Raises `Rejected` (download_failed, timeout, too_large), `Refused` when the site wants no more requests, `RemovedError`.
    """
    done = finished(folder, url)
    if done is not None:
        return done
    folder.mkdir(parents=True, exist_ok=True)
    wait_turn(options.sleep_s)
    return patiently(lambda: _fetch_once(asked or url, url, folder, options, removed_channels, limits), options.retries, options.first_back_off_s)


def _fetch_once(asked: str, url: str, folder: Path, options: Download, removed_channels: frozenset[str], limits: Limits) -> Fetched:
    with session(options) as client:
        info = client.extract_info(asked, download=False)
        return fetch_formats(client, only_video(client, info), url, folder, removed_channels, limits)


@contextlib.contextmanager
def session(options: Download) -> Iterator["YoutubeDL"]:
    """A yt-dlp client that fetches as we want it."""
    from yt_dlp import YoutubeDL

    with YoutubeDL(client_options(options)) as client:
        yield client


def client_options(options: Download) -> dict[str, Any]:
    """yt-dlp's parameters. Its own ffmpeg is switched off by a location that is not there; retries of whole requests are ours."""
    height = f"[height<=?{options.max_height}]"
    return {
        "format": f"bv{height}+ba/b{height}/bv{height}",
        "format_sort": list(SORT),
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "logger": _Silent(),
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "ffmpeg_location": os.devnull + "/none",
        "hls_prefer_native": True,
        "fixup": "never",
        "updatetime": False,
        "writesubtitles": True,
        "writeautomaticsub": True,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "retries": 0,
        "extractor_retries": options.retries,
        "fragment_retries": options.retries,
        "skip_unavailable_fragments": False,
        "retry_sleep_functions": dict.fromkeys(("http", "fragment", "extractor"), partial(back_off_s, options.first_back_off_s)),
        "extractor_args": {"youtube": {"skip": ["translated_subs"]}},
        "js_runtimes": _js_runtimes(),
        # As a stream: given as a file, every worker would write its cookies back into it.
        "cookiefile": StringIO(options.cookies) if options.cookies else None,
        "progress_hooks": [_deadline()],
    }


def _js_runtimes() -> dict[str, dict[str, str]]:
    """The JavaScript runtime that YouTube's challenges need: the one installed as a package, else whatever `deno` is on the path."""
    try:
        from deno import find_deno_bin
    except ImportError:
        return {"deno": {}}
    return {"deno": {"path": os.fsdecode(find_deno_bin())}}


def _deadline() -> Callable[[dict[str, Any]], None]:
    """A progress hook that gives up on a server that never ends."""
    started = time.monotonic()

    def check(progress: dict[str, Any]) -> None:
        if time.monotonic() - started > LONGEST_DOWNLOAD_S:
            raise Rejected("timeout", f"the download had not ended after {LONGEST_DOWNLOAD_S / 3600:g} h")

    return check


class _Silent:
    """yt-dlp's messages go nowhere; what matters comes as an exception."""

    def debug(self, message: str) -> None:
        """Nothing is told."""

    def warning(self, message: str) -> None:
        """Nothing is told."""

    def error(self, message: str) -> None:
        """Nothing is told: it is raised too."""


def only_video(client: "YoutubeDL", info: dict[str, Any] | None) -> dict[str, Any]:
    """The one video an address means. Raises `Rejected` for playlists and streams that still run."""
    if info is None:
        raise Rejected("download_failed", "nothing was found at the address")
    if info.get("_type") in ("playlist", "multi_video"):
        entries = [entry for entry in info.get("entries") or [] if entry]
        if len(entries) != 1:
            raise Rejected("download_failed", f"the address holds {len(entries) or 'no'} videos; name each by its own address")
        info = client.process_ie_result(entries[0], download=False)
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
        raise Rejected("download_failed", "it is a live stream that has not ended")
    return info


def fetch_formats(
    client: "YoutubeDL", info: dict[str, Any], url: str, folder: Path, removed_channels: frozenset[str] = frozenset(), limits: Limits = DEFAULT_LIMITS
) -> Fetched:
    """Fetch the formats that were chosen for a processed video, join them, and note where they came from.

    The note is written last: with it, the folder is finished.
    """
    if any(clean(info.get(name)) in removed_channels for name in ("channel", "channel_id", "channel_url", "uploader", "uploader_id", "uploader_url")):
        raise RemovedError(url)
    if (info.get("duration") or 0) > limits.max_duration_s:
        raise Rejected("too_large", f"it lasts {info['duration']:.0f} s, more than {limits.max_duration_s:g} s")
    chosen = info.get("requested_formats") or [info]
    parts = [_fetch_part(client, info, part, folder) for part in chosen]
    video = parts[0]
    if len(parts) > 1:
        video = folder / JOINED_NAME
        join(parts[0], parts[1], video)
    subtitle, remarks = _fetch_subtitles(client, info, folder)
    fetched = Fetched(video, subtitle, provenance(info, url), remarks)
    _note(folder, url, fetched)
    for part in parts:
        if part != video:
            part.unlink(missing_ok=True)
    return fetched


def _fetch_part(client: "YoutubeDL", info: dict[str, Any], part: dict[str, Any], folder: Path) -> Path:
    """One format as a file; its name holds the format's id, so that what is left of another format is never gone on with."""
    kind = "audio" if part.get("vcodec") == "none" else "video"
    ending = suffix(f"x.{part.get('ext')}", ".media")
    path = folder / f"{kind}-{_UNSAFE.sub('_', str(part.get('format_id')))[:40]}{ending}"
    wanted = {key: value for key, value in info.items() if key not in ("formats", "requested_formats", "subtitles", "automatic_captions")}
    success, _ = client.dl(str(path), wanted | part)
    if not success or not path.is_file():
        raise Rejected("download_failed", "the download ended without its file")
    return path


def _fetch_subtitles(client: "YoutubeDL", info: dict[str, Any], folder: Path) -> tuple[Path | None, tuple[str, ...]]:
    """Written subtitles, else those the platform made by listening, in the video's language; both are kept, the first counts."""
    from yt_dlp.utils import YoutubeDLError

    kept: list[Path] = []
    remarks: tuple[str, ...] = ()
    for kind, tracks in (("manual", info.get("subtitles")), ("auto", info.get("automatic_captions"))):
        language, track = chosen_track(tracks or {}, info.get("language"))
        if track is None:
            continue
        path = folder / f"subtitles-{kind}.{_UNSAFE.sub('-', language)[:20]}.vtt"
        try:
            if track.get("data") is not None:
                path.write_text(track["data"], encoding="utf-8")
            else:
                client.dl(str(path), dict(track), subtitle=True)
            kept.append(path)
        except YoutubeDLError:
            remarks = ("its subtitles could not be fetched",)
    return (kept[0] if kept else None), remarks


def chosen_track(tracks: dict[str, list[dict[str, Any]]], language: str | None) -> tuple[str, dict[str, Any] | None]:
    """The VTT track in the video's own language, else the platform's original (`xx-orig`), else the first."""
    usable = {name: next((form for form in forms if form.get("ext") == "vtt"), None) for name, forms in tracks.items() if name != "live_chat"}
    spoken = (language or "").split("-")[0].lower()
    ranked = sorted(
        (name for name, form in usable.items() if form is not None),
        key=lambda name: (name.lower() != (language or "").lower(), not name.endswith("-orig"), name.split("-")[0].lower() != spoken),
    )
    return (ranked[0], usable[ranked[0]]) if ranked else ("", None)


def provenance(info: dict[str, Any], url: str) -> dict[str, str | None]:
    """`videos.source` of a downloaded video."""
    date = clean(info.get("upload_date")) or ""
    platform = (clean(info.get("extractor_key")) or "http").lower()
    return {
        "platform": "http" if platform == "generic" else platform,
        "url": url,
        "channel": clean(info.get("channel") or info.get("uploader")),
        "licence": clean(info.get("license")),
        "title": clean(info.get("title")),
        "uploaded": f"{date[:4]}-{date[4:6]}-{date[6:]}" if re.fullmatch(r"\d{8}", date) else None,
    }


def _note(folder: Path, url: str, fetched: Fetched) -> None:
    record = {
        "url": url,
        "video": fetched.video.name,
        "subtitle": fetched.subtitle.name if fetched.subtitle else None,
        "source": fetched.source,
        "remarks": fetched.remarks,
    }
    partial_note = folder / f"{PROVENANCE_NAME}.part"
    partial_note.write_text(json.dumps(record), encoding="utf-8")
    partial_note.replace(folder / PROVENANCE_NAME)


def finished(folder: Path, url: str) -> Fetched | None:
    """What an earlier call finished in this folder for this address, if that is still there."""
    note = folder / PROVENANCE_NAME
    if not note.is_file():
        return None
    record = json.loads(note.read_text(encoding="utf-8"))
    if record["url"] != url or not (folder / record["video"]).is_file():
        return None
    subtitle = folder / record["subtitle"] if record["subtitle"] else None
    return Fetched(folder / record["video"], subtitle, record["source"], tuple(record["remarks"]))
