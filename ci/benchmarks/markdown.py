"""Tables of the reports, and what stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Its lines in Markdown. Pure."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def figures(seconds: Sequence[float]) -> str:
    """The median, with the least and the most where there are several. Pure."""
    if len(seconds) == 1:
        return f"{seconds[0]:.1f}"
    return f"{median(seconds):.1f} ({min(seconds):.1f}–{max(seconds):.1f})"


def load_before(loads: Iterable[float]) -> str:
    """The sentence on what else the machine did. Pure."""
    each = sorted(loads)
    return f"The load before the runs was {each[0]} to {each[-1]} (average over a minute)."
