"""Time stamps of decoded frames, as ffmpeg's `showinfo` filter logs them."""

from fractions import Fraction


class ShowinfoReader:
    """A log reader for `Process` that keeps what `showinfo` says of each frame: `ticks` (None for a frame without time stamp)
    in units of `tick_s` seconds, and whether it is a key frame. ffmpeg must log at level info."""

    def __init__(self) -> None:
        self.ticks: list[int | None] = []
        self.keys: list[bool] = []
        self.tick_s = Fraction(0)

    def __call__(self, line: str) -> None:
        """Take one line of the log."""
        if "showinfo" not in line:
            return
        if "config in time_base:" in line:
            self.tick_s = Fraction(line.partition("time_base:")[2].partition(",")[0].strip())
        elif " pts:" in line:
            stamp = line.partition(" pts:")[2].split()[0]
            self.ticks.append(None if stamp == "NOPTS" else int(stamp))
            self.keys.append("iskey:1" in line)
