"""Which demuxer reads a file, from its first bytes (DESIGN.md, "Media").

ffmpeg's own guessing opens what a playlist or a concat file names, so it is never asked.
"""

import os
import stat
from pathlib import Path

from schemas.codes import Rejected

HEAD_BYTES = 4096

MOV_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"})
ASF_GUID = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
RIFF_FORMS = {b"AVI ": "avi", b"WAVE": "wav"}
PREFIXES = {
    b"\x1aE\xdf\xa3": "matroska",
    b"FLV\x01": "flv",
    b"OggS": "ogg",
    b"fLaC": "flac",
    b"\x00\x00\x01\xba": "mpeg",
    b"YUV4MPEG2": "yuv4mpegpipe",
    ASF_GUID: "asf",
}
TS_PACKET_BYTES = {188: 0, 192: 4, 204: 0}
"""Packet size -> where its sync byte stands."""

PLAYLIST_STARTS = ("#extm3u", "ffconcat", "file ", "v=0", "[playlist]", "[reference]", "<asx", "<smil", "<mpd", "rtsptext", "rtsp://", "http://", "https://")
PLAYLIST_TAGS = ("<mpd", "<smoothstreamingmedia", "<asx", "<smil", "<playlist")


def sniff(path: str | Path) -> str:
    """The demuxer's name: mov, matroska, avi, mpegts, mpeg, flv, ogg, asf, wav, mp3, flac, aac or yuv4mpegpipe.

    Raises `Rejected`: `vanished`, `forbidden_reference` for playlists of any kind, `not_media` for everything else.
    """
    head = _head(path)
    if not head:
        raise Rejected("not_media", "the file is empty")
    demuxer = _binary_demuxer(path, head)
    if demuxer is None:
        if _is_playlist(head):
            raise Rejected("forbidden_reference", "the file is a playlist that names other files or addresses")
        raise Rejected("not_media", "its first bytes are those of no video or audio format that we read")
    return demuxer


def check_complete(path: str | Path) -> None:
    """Raise `Rejected("truncated")` when a box of an mp4/mov file reaches past the file's end, or it has no `moov` box."""
    size, position, boxes = os.path.getsize(path), 0, set()
    with open(path, "rb") as file:
        while position + 8 <= size:
            file.seek(position)
            header = file.read(16)
            length, name = int.from_bytes(header[:4]), header[4:8]
            if length == 1:
                length = int.from_bytes(header[8:16])
            elif length == 0:
                length = size - position
            boxes.add(name)
            if length < 8:
                break
            position += length
    if position > size:
        raise Rejected("truncated", f"the file ends {position - size} bytes before its contents do")
    if b"moov" not in boxes:
        raise Rejected("truncated", "the file ends before its index (the moov box)")


def _head(path: str | Path) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Rejected("not_media", "it is no regular file")
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise Rejected("vanished", "the file is not there any more") from None
    except PermissionError:
        raise Rejected("not_media", "we may not read the file") from None


def _binary_demuxer(path: str | Path, head: bytes) -> str | None:
    for prefix, demuxer in PREFIXES.items():
        if head.startswith(prefix):
            return demuxer
    if head[4:8] in MOV_BOXES:
        return "mov"
    if head[:4] in (b"RIFF", b"RF64"):
        return RIFF_FORMS.get(head[8:12])
    for packet_bytes, sync_at in TS_PACKET_BYTES.items():
        sync = head[sync_at::packet_bytes][:5]
        if len(sync) >= 3 and set(sync) == {0x47}:
            return "mpegts"
    if head.startswith(b"ID3") and len(head) >= 10:
        return _after_id3(path, head)
    return _audio_frame(head)


def _after_id3(path: str | Path, head: bytes) -> str | None:
    tag_bytes = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    with open(path, "rb") as file:
        file.seek(tag_bytes)
        rest = file.read(16).lstrip(b"\0")
    return "flac" if rest.startswith(b"fLaC") else _audio_frame(rest) or "mp3"


def _audio_frame(head: bytes) -> str | None:
    """`mp3` or `aac` when the bytes begin with such a frame's header (layer bits 0 mean ADTS)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer, sample_rate = head[1] >> 1 & 3, head[2] >> 2 & 3
    if layer == 0:
        return "aac" if head[1] & 0xF0 == 0xF0 and head[2] >> 2 & 15 < 13 else None
    bitrate = head[2] >> 4
    return "mp3" if head[1] >> 3 & 3 != 1 and bitrate not in (0, 15) and sample_rate != 3 else None


def _is_playlist(head: bytes) -> bool:
    text = head.decode("utf-8-sig", "replace").lstrip("\ufeff \t\r\n").lower()
    if text.startswith("<?xml"):
        return any(tag in text for tag in PLAYLIST_TAGS)
    return text.startswith(PLAYLIST_STARTS)
