"""Failure codes: frozen words of the contract. Add, never rename."""

CODES: dict[str, str] = {
    "not_media": "the file is no video that we can read",
    "no_video": "the file has no video stream",
    "no_audio": "audio was needed and there is none",
    "truncated": "the file ends before its contents do",
    "decode_error": "frames could not be decoded",
    "timeout": "work on it ran past its time limit",
    "too_large": "it claims more pixels, frames or seconds than the caps allow",
    "forbidden_reference": "it is a playlist or points at other files or addresses",
    "vanished": "the file was there before and is gone, or is another one now",
    "download_failed": "it could not be fetched",
    "no_face": "no usable face was found",
    "worker_died": "the Python process working on it died, alone and again",
    "internal": "an unexpected error; the detail names it",
}

RETRYABLE = frozenset({"timeout", "vanished", "download_failed", "worker_died", "internal"})
"""Codes of failures that may go away by themselves."""


class Rejected(Exception):
    """One input cannot be used: becomes a row in `failures`, never ends a job.

    `code` is one of `CODES`; `detail` one plain sentence for a person.
    """

    def __init__(self, code: str, detail: str) -> None:
        if code not in CODES:
            raise ValueError(f"unknown failure code {code!r}")
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple:
        return (Rejected, (self.code, self.detail))
