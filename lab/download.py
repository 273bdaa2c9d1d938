"""Large files from the web: downloaded once, checked, and kept."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Final

import requests

from lab.errors import InputError
from lab.sizes import format_size

_LIMIT: Final = 2 * 1024**3
_SECONDS: Final = 60
"""Until it answers, and between two pieces."""
_PIECE: Final = 1024 * 1024
_one_at_a_time = threading.Lock()


def cache_directory() -> Path:
    """`$XDG_CACHE_HOME/labstamp`, or that below the home directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labstamp"


def fetched(url: str, sha256: str, *, limit: int = _LIMIT) -> Path:
    """What URL holds, as a file of this machine; InputError when it cannot be had or differs."""
    file = cache_directory() / f"{sha256[:16]}-{url.rsplit('/', 1)[-1]}"
    with _one_at_a_time:
        if not (file.is_file() and _sum(file) == sha256):
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f"{file.name}.{os.getpid()}.part")
            try:
                _download(url, part, limit)
                _compare(url, _sum(part), sha256)
                part.replace(file)
            finally:
                part.unlink(missing_ok=True)
    return file


def _download(url: str, part: Path, limit: int) -> None:
    done = 0
    try:
        with requests.get(url, timeout=_SECONDS, stream=True) as answer, part.open("wb") as file:
            if answer.status_code != requests.codes.ok:
                raise InputError(
                    f"{url} cannot be fetched: the server answered {answer.status_code} "
                    f"{answer.reason}.",
                    fix="Correct the url in lab.yaml, or download the file by hand and set its "
                    "path there.",
                )
            for piece in answer.iter_content(_PIECE):
                done += len(piece)
                if done > limit:
                    raise InputError(
                        f"{url} is larger than {format_size(limit)}.",
                        fix="Correct the url in lab.yaml.",
                    )
                file.write(piece)
    except requests.RequestException as error:
        raise InputError(
            f"{url} cannot be fetched.",
            details=str(error),
            fix="Check the proxy ($https_proxy), or download the file by hand and set its path "
            "in lab.yaml.",
        ) from error


def _compare(url: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise InputError(
            f"{url} has another checksum than the one in lab.yaml.",
            details=f"sha256 of the file: {found}\nsha256 in lab.yaml: {wanted}",
            fix="Find out which of the two is right before you use the file.",
        )


def _sum(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
