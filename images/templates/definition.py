"""What one file of images/definitions/ may say; `images.templates.catalog` puts them together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr

from images.check_kinds.kinds import Check
from lab.properties import is_name
from lab.yaml.model import Package, PortNumber, Size, StrictModel, Word, value_error

PATH = "path"
"""Key of the validation context: the file that the definition comes from."""

_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


def _name(value: str) -> str:
    if not is_name(value):
        raise value_error("must be 2 to 40 lower-case letters, digits and dashes")
    return value


def _file(value: str) -> str:
    if not _FILE.fullmatch(value):
        raise value_error("must be the name of a file, without a directory")
    return value


def _inside(value: str) -> str:
    parts = value.split("/")[1:]
    if not value.startswith("/") or len(parts) < 2 or not {"", ".", ".."}.isdisjoint(parts):
        raise value_error("must be the whole path of a file, such as /etc/service/key.pem")
    if not value.isprintable():
        raise value_error("must be printable")
    return value


Name = Annotated[str, AfterValidator(_name)]
FileName = Annotated[str, AfterValidator(_file)]
InsidePath = Annotated[str, AfterValidator(_inside)]
"""Of a file in an image."""


class InstanceNeeds(StrictModel):
    """What containers of a template, and its builder, need of LXD."""

    config: Mapping[str, str] = Field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)


class TemplateDriver(StrictModel):
    """How a template wants NVIDIA's userland, where it cannot leave that to the lab."""

    delivery: Literal["image", "runtime", "cdi", "none"]


class Definition(StrictModel):
    """A template as its file says it. Nothing here is inherited yet; that is Catalog's part."""

    name: Name
    short: Name = Field(default_factory=lambda given: str(given.get("name", "")))
    """What people may type instead; the name itself where nothing is given."""
    description: str = Field(min_length=1)
    parent: Name | None = None
    """The template it is cloned from; without one, the distribution's source."""
    abstract: bool = False
    """Its body is built for its children, and no release is made of it."""
    cloud_init: FileName
    packages: tuple[Package, ...] = ()
    """Names that images/distros/*.yaml may map to what a distribution calls them."""
    scripts: tuple[FileName, ...] = ()
    instance: InstanceNeeds = Field(default_factory=InstanceNeeds)
    groups: tuple[Word, ...] = ()
    ports: Mapping[str, PortNumber] = Field(default_factory=dict)
    disk: Size | None = None
    options: Mapping[str, bool] = Field(default_factory=dict)
    """Name → default; `options:` in lab.yaml overrides, the cloud-init template decides."""
    driver: TemplateDriver | None = None
    """Instead of `driver.delivery` in lab.yaml."""
    refuse: Mapping[str, str] = Field(default_factory=dict)
    """Distribution → why it cannot be built there."""
    own_files: tuple[InsidePath, ...] = ()
    """What each container makes for itself at its first boot: keys, ids. Taken out of the image."""
    allow_secrets: tuple[InsidePath, ...] = ()
    """Files that look secret, and are the same in every container on purpose."""
    allow_special: tuple[InsidePath, ...] = ()
    """Device nodes, set-uid programs and files with capabilities that are meant."""
    checks: tuple[Check, ...] = ()

    _path: Path = PrivateAttr(default=Path())

    @property
    def path(self) -> Path:
        """The file it was read from."""
        return self._path

    def model_post_init(self, context: Any, /) -> None:
        self._path = (context or {}).get(PATH, Path(f"{self.name}.yaml"))
