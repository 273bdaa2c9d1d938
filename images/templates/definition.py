"""What one file of images/definitions/ may say; `images.templates.catalog` puts them together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from lab.properties import is_name
from lab.yaml.model import Package, Pattern, Size, StrictModel, Word, value_error

PROVISION = "provision"
"""The check that is made of every image (`Trial`); no definition has one of that name."""

PATH = "path"
"""Key of the validation context: the file that the definition comes from."""

Kind: TypeAlias = Literal[
    "boots",
    "cloud-init",
    "address",
    "dns",
    "ssh",
    "identity",
    "timezone",
    "apt",
    "leftovers",
    "lint",
    "reboot",
    "rdp",
    "port",
    "gpu",
    "command",
]

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
Port = Annotated[int, Field(ge=1, le=65535)]


class Check(StrictModel):
    """Something that fresh instances of the image must show."""

    name: str = Field(min_length=1)
    kind: Kind
    run: tuple[str, ...] = ()
    """For `command`: argv. The files of images/scripts/ are in /run/labstamp/ while it runs.

    For `port`: what makes the service, where something has to."""
    exit: int = 0
    stdout: Pattern | None = None
    """Searched for in what it prints; for `port`, in what the service sends."""
    skip: Pattern | None = None
    """For `command`: what it prints where there is nothing to try; then skipped, not passed."""
    port: Port | None = None
    """For `port`: where to connect from outside."""
    timeout: int = Field(default=60, ge=1)

    @model_validator(mode="after")
    def _fields_belong_to_kind(self) -> Check:
        given = self.model_fields_set
        if self.kind == "command" and not self.run:
            raise value_error("a check of kind command needs something to run")
        if self.kind == "port":
            if self.port is None or self.stdout is None:
                raise value_error("a check of kind port needs a port, and in stdout what it sends")
            return self
        if "port" in given:
            raise value_error(f"port belongs to kind port; this is {self.kind}")
        if self.kind != "command" and given & {"run", "exit", "stdout"}:
            raise value_error(
                f"run, exit and stdout belong to kinds command and port; this is {self.kind}"
            )
        if self.kind != "command" and "skip" in given:
            raise value_error(f"skip belongs to kind command; this is {self.kind}")
        return self


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
    short: Name = ""
    """What people may type instead; the name itself where nothing is given."""
    description: str = Field(min_length=1)
    parent: Name | None = None
    """The template it is cloned from; without one, the distribution's source."""
    cloud_init: FileName
    packages: tuple[Package, ...] = ()
    """Names that images/distros/*.yaml may map to what a distribution calls them."""
    scripts: tuple[FileName, ...] = ()
    instance: InstanceNeeds = Field(default_factory=InstanceNeeds)
    groups: tuple[Word, ...] = ()
    ports: Mapping[str, Port] = Field(default_factory=dict)
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
        if not self.short:
            # The one default that depends on another field; frozen models have no assignment.
            self.__dict__["short"] = self.name
