"""What a screenshot shows, as far as a machine can tell: is it a desktop with a panel?"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Rows of 8-bit RGB."""

    width: int
    height: int
    pixels: bytes

    def row(self, y: int) -> tuple[Colour, ...]:
        start = y * self.width * 3
        cells: Sequence[int] = self.pixels[start : start + self.width * 3]
        return tuple(zip(cells[0::3], cells[1::3], cells[2::3], strict=True))

    def colours(self) -> int:
        """How many different ones."""
        return len({colour for y in range(self.height) for colour in self.row(y)})

    def panel(self) -> int:
        """The height of the bar along the top: a plain strip with something written on it.

        0 where there is none: an empty screen, a login dialog, or a picture alone.
        """
        height = sum(1 for _ in self._strip())
        if not 18 <= height <= 60:
            return 0
        inside = [colour for y in range(2, height - 2) for colour in self.row(y)]
        written = 1 - Counter(inside).most_common(1)[0][1] / len(inside)
        return height if 0.005 < written < 0.5 else 0

    def _strip(self) -> Iterator[int]:
        """The rows from the top that are mostly of one and the same colour."""
        plain, _ = Counter(self.row(2)).most_common(1)[0]
        for y in range(self.height):
            if y > 1 and self.row(y).count(plain) < 0.5 * self.width:
                return
            yield y


def read_picture(path: Path) -> Picture:
    """Any file that ImageMagick reads."""
    size = subprocess.run(
        ["identify", "-format", "%w %h", str(path)], check=True, capture_output=True, text=True
    ).stdout.split()
    pixels = subprocess.run(
        ["convert", str(path), "-depth", "8", "rgb:-"], check=True, capture_output=True
    ).stdout
    return Picture(width=int(size[0]), height=int(size[1]), pixels=pixels)
