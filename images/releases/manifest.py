"""What a file of `export-image` says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.errors import InputError

FORMAT: Final = 1
_NAMES = ["metadata", "rootfs"]

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Literal["metadata", "rootfs"]
    size: int = Field(ge=0)
    sha256: Sha256


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = FORMAT
    fingerprint: Sha256
    properties: Mapping[str, str]
    parts: tuple[Part, ...] = Field(min_length=1, max_length=2)


def read_manifest(source: Path, text: bytes) -> Manifest:
    """Parse TEXT, which stands in SOURCE."""
    try:
        found = json.loads(text)
        if isinstance(found, dict) and found.get("format") != FORMAT:
            raise InputError(
                f"{source} has the format {found.get('format')}; this labstamp reads {FORMAT}.",
                fix="Import it with the labstamp that exported it, or a later one.",
            )
        manifest = Manifest.model_validate_json(text)
    except (ValidationError, ValueError, RecursionError) as error:
        raise damaged(source, "The manifest in the file cannot be read.") from error
    if [part.name for part in manifest.parts] != _NAMES[: len(manifest.parts)]:
        raise damaged(source, "The manifest in the file cannot be read.")
    return manifest


def damaged(source: Path, why: str) -> InputError:
    return InputError(
        f"{source} was damaged or changed after it was exported; nothing was imported.",
        details=why,
        fix="Copy the file again from the machine that exported it, and compare: sha256sum FILE",
    )
