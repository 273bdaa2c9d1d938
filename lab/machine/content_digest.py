"""One number for what a file holds, however it is stored: with holes, or with zeros in their place.

Of a file without a whole block of zeros it is its sha256. Blocks of zeros are counted, not hashed:
a file of 300 GiB that holds nothing takes no time.
"""

from __future__ import annotations

import hashlib
from typing import Final

BLOCK: Final = 4096
_NOTHING: Final = bytes(BLOCK)


class ContentDigest:
    """Of pieces that come in the order of their offsets; what lies between them is zeros."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._at = 0
        """Where `_rest` begins; a multiple of BLOCK."""
        self._rest = bytearray()
        self._next = 0
        """The block behind the last one that was hashed."""
        self._holes = False

    def feed(self, offset: int, piece: bytes) -> None:
        if offset > self._at + len(self._rest):
            self._skip_to(offset)
        if not self._rest and len(piece) % BLOCK == 0:
            self._take(piece)
            return
        self._rest += piece
        whole = len(self._rest) - len(self._rest) % BLOCK
        if whole:
            blocks = bytes(self._rest[:whole])
            del self._rest[:whole]
            self._take(blocks)

    def finish(self, size: int) -> str:
        """SIZE of the whole file."""
        last = min(size - self._at, BLOCK)
        if last > 0 and (self._rest or last < BLOCK):
            self._rest += bytes(last - len(self._rest))
            self._tail(bytes(self._rest))
        if self._next * BLOCK < size:
            self._holes = True
        if not self._holes:
            return f"sha256:{self._hash.hexdigest()}"
        self._hash.update(size.to_bytes(8, "big"))
        return f"holes:{self._hash.hexdigest()}"

    def _skip_to(self, offset: int) -> None:
        start = offset - offset % BLOCK
        if self._rest and start > self._at:
            self._rest += bytes(BLOCK - len(self._rest))
            block = bytes(self._rest)
            self._rest.clear()
            self._take(block)
        self._at = max(self._at, start)
        self._rest += bytes(offset - self._at - len(self._rest))

    def _take(self, blocks: bytes) -> None:
        """Whole blocks, from `_at` on."""
        if _NOTHING not in blocks:
            self._hashed(blocks)
        else:
            for start in range(0, len(blocks), BLOCK):
                block = blocks[start : start + BLOCK]
                if block == _NOTHING:
                    self._at += BLOCK
                else:
                    self._hashed(block)

    def _tail(self, rest: bytes) -> None:
        if rest.strip(b"\0"):
            self._hashed(rest)

    def _hashed(self, blocks: bytes) -> None:
        number = self._at // BLOCK
        if number != self._next:
            self._holes = True
            self._hash.update(b"hole" + number.to_bytes(8, "big"))
        self._hash.update(blocks)
        self._at += len(blocks)
        self._next = number + -(-len(blocks) // BLOCK)
