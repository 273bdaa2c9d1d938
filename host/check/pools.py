"""Findings about storage pools: whether what they promise is there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from host.finding import Finding, Status
from lab.lxd.loop_file import in_words, way_out
from lab.lxd.model import Pool
from lab.sizes import format_size

_GIB: Final = 1 << 30
_FULL: Final = _GIB // 2
"""Less, and `provision` refuses."""
_NEARLY: Final = 10 * _GIB
_WHY: Final = "When the pool is full, all containers fail, whichever container filled it."


def findings(pools: Sequence[Pool]) -> Iterator[Finding]:
    for pool in pools:
        free = pool.free_bytes
        if free is not None:
            yield _finding(pool, free)


def _finding(pool: Pool, free: int) -> Finding:
    name, left = "pool-room", f"{format_size(free)} free"
    beneath = in_words(pool)
    if free >= (_NEARLY if beneath else _FULL):
        return Finding(name=name, subject=pool.name, found=left)
    return Finding(
        name=name,
        subject=pool.name,
        status=Status.FAIL if free < _FULL else Status.WARN,
        found=f"{left}. {beneath}" if beneath else left,
        why=_WHY,
        fix=way_out(pool).splitlines()[-1] if beneath else "invoke prune-images",
    )
