"""Files packed by this machine's `zstd`: written, hashed and flushed to the disk; read again."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from lab.errors import CapacityError, LxdError

_PIECE: Final = 1 << 20
# Equal parts of the input stay equal where restic looks for what it has.
_PACK: Final = ("zstd", "--quiet", "-3", "--threads=0", "--rsyncable", "--stdout")
_UNPACK: Final = ("zstd", "--quiet", "--decompress", "--stdout")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    sha256: str
    size_bytes: int


class ZstdFile:
    """A new file at PATH, that root alone may read. Call `finish`, or `abandon`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb")
        path.chmod(0o600)
        self._zstd = subprocess.Popen(_PACK, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._hash = hashlib.sha256()
        self._size = 0
        self._failed: OSError | None = None
        self._pump = threading.Thread(target=self._store, daemon=True)
        self._pump.start()

    def write(self, piece: bytes) -> None:
        """CapacityError where the disk is full."""
        stdin = _opened(self._zstd.stdin)
        try:
            stdin.write(piece)
        except BrokenPipeError:
            self._pump.join()
            raise self._refusal() from self._failed

    def finish(self) -> Written:
        """It is on the disk afterwards."""
        with suppress(BrokenPipeError):  # told below
            _opened(self._zstd.stdin).close()
        self._pump.join()
        code = self._zstd.wait()
        try:
            if self._failed is None and code == 0:
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            self._failed = error
        finally:
            self._file.close()
        if self._failed is not None or code:
            raise self._refusal() from self._failed
        return Written(sha256=self._hash.hexdigest(), size_bytes=self._size)

    def abandon(self) -> None:
        self._zstd.kill()
        self._zstd.wait()
        self._pump.join()
        self._file.close()

    def _store(self) -> None:
        out = _opened(self._zstd.stdout)
        try:
            while piece := out.read(_PIECE):
                self._hash.update(piece)
                self._size += len(piece)
                self._file.write(piece)
        except OSError as error:
            self._failed = error
            self._zstd.kill()

    def _refusal(self) -> LxdError | CapacityError:
        error = self._failed
        if error is not None and error.errno in _FULL:
            return CapacityError(
                f"There is no room for {self._path}.",
                fix="Make room there, or choose another directory.",
            )
        why = (error.strerror or str(error)) if error is not None else "zstd failed"
        return LxdError(f"{self._path} could not be written.", details=why)


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """What the file at PATH holds. LxdError at the end where it was cut off or changed."""
    with path.open("rb") as file:
        zstd = subprocess.Popen(_UNPACK, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out = _opened(zstd.stdout)
    try:
        yield out
        out.close()
    except BaseException:
        zstd.kill()
        raise
    finally:
        out.close()
        said = _opened(zstd.stderr).read(_PIECE).decode(errors="replace").strip()
        code = zstd.wait()
    if code:
        raise LxdError(f"{path} cannot be unpacked.", details=said)


def sha256_of(path: Path) -> Written:
    """Of the file as it is."""
    found, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
            size += len(piece)
    return Written(sha256=found.hexdigest(), size_bytes=size)


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 - by PIPE
    return stream
