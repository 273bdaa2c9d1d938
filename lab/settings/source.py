"""Where the root of the tree comes from; a `source:` in a distribution's file or in lab.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from lab.yaml.model import LocalPath, StrictModel, Url, Word


class Bootstrap(StrictModel):
    """Made on this machine by mmdebstrap, from the mirror in the settings or of the host."""

    kind: Literal["bootstrap"]
    suite: Word
    components: tuple[Word, ...] = ("main",)
    include: tuple[Word, ...] = ()
    """Packages beyond the essential ones."""
    enable: tuple[Word, ...] = ()
    mask: tuple[Word, ...] = ()
    """systemd units."""
    keyring: Path | None = None
    """The archive's keys on this machine, where apt does not know them anyway."""


class Simplestreams(StrictModel):
    """An image of a simplestreams server, fetched by LXD."""

    kind: Literal["simplestreams"]
    server: Url
    alias: Word
    certificate: LocalPath | None = None
    """That of the server (PEM), where no authority that the LXD host knows has signed it."""


class File(StrictModel):
    """A tarball: a whole exported image, or a root file system (METADATA apart, or made)."""

    kind: Literal["file"]
    path: LocalPath
    metadata: LocalPath | None = None


class FromInstance(StrictModel):
    """A container somebody prepared by hand; it must be stopped, and is only copied."""

    kind: Literal["instance"]
    name: Word
    project: Word = "default"


Source: TypeAlias = Annotated[
    Bootstrap | Simplestreams | File | FromInstance, Field(discriminator="kind")
]
