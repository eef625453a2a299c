"""Caps on what is decoded, and time limits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Caps that are checked before anything is decoded, and time limits. `decode_timeout_s` grows with the span to decode."""

    max_pixels: int = 8192 * 4320
    max_duration_s: float = 12 * 3600
    max_frames: int = 2_000_000
    probe_timeout_s: float = 60.0
    decode_base_s: float = 60.0
    decode_per_source_s: float = 20.0

    def decode_timeout_s(self, span_s: float) -> float:
        """Seconds that one may wait in all for the decoding of a span of `span_s` seconds."""
        return self.decode_base_s + self.decode_per_source_s * max(span_s, 0.0)


DEFAULT_LIMITS = Limits()
