"""lab.yaml: what a lab sets differently. Every setting has a default that works."""

from __future__ import annotations

import os
import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from lab.errors import InputError
from lab.names import did_you_mean
from lab.places import is_installed, settings_file
from lab.settings.backup import BackupSettings
from lab.settings.driver import DriverSettings
from lab.settings.expiry import ExpirySettings
from lab.settings.gpus import GpuSettings
from lab.settings.limits import LimitSettings
from lab.settings.notify import NotifySettings
from lab.settings.people import Contact, Public
from lab.settings.projects import not_removed, of_its_own
from lab.settings.remotes import RemoteName, RemoteSettings
from lab.settings.shares import ServerPath, ShareName, ShareSettings, refuse_outside
from lab.settings.snapshots import SnapshotSettings
from lab.settings.source import Source
from lab.settings.toolkit import Toolkit
from lab.settings.upgrade import UpgradeSettings
from lab.urls import login_of
from lab.yaml.load import load_tree
from lab.yaml.model import AptUrl, LocalPath, StrictModel, UrlInside, Word, value_error
from lab.yaml.problems import shown
from lab.yaml.tree import Tree, read_tree

VARIABLE: Final = "LAB_SETTINGS"

_REMOTE: Final = re.compile(r"local|https://[A-Za-z0-9.:\[\]-]+", re.ASCII)
_LOCALE: Final = re.compile(r"C\.UTF-8|[a-z]{2,3}_[A-Z]{2}\.UTF-8(@[a-z]+)?", re.ASCII)
_PREFIX: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}", re.ASCII)
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", re.ASCII)


def _remote(value: str) -> str:
    if not _REMOTE.fullmatch(value):
        raise value_error('must be "local" or a URL such as https://lab1.example:8443')
    return value


def _locale(value: str) -> str:
    if not _LOCALE.fullmatch(value):
        raise value_error("must be a UTF-8 locale such as C.UTF-8 or zh_CN.UTF-8")
    return value


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise value_error("must be a short word of lower-case letters, digits and dashes")
    return value


def _registry_mirror(value: str) -> str:
    # docker's own rule: with anything else in its configuration it does not start.
    if not re.fullmatch(r"https?://[^/@]+", value):
        raise value_error(
            "must be a URL of host and port alone, such as https://mirror.example:5000"
        )
    return value


def _timezone(value: str) -> str:
    # Where this machine has no zone database there is nothing to look the zone up in.
    known = zoneinfo.available_timezones()
    if not _ZONE.fullmatch(value) or (known and value not in known):
        meant = did_you_mean(value, known)
        raise value_error("must be a time zone such as Asia/Shanghai", hint=meant)
    return value


class Settings(StrictModel):
    """The settings of one lab. Paths are absolute; None means: find out on the host."""

    remote: Annotated[str, AfterValidator(_remote)] = "local"
    client_certificate: LocalPath | None = None
    client_key: LocalPath | None = None
    server_certificate: LocalPath | None = None
    project: Word = "default"
    remotes: Mapping[RemoteName, RemoteSettings] = Field(default_factory=dict)
    """Other servers' LXDs, by the names that `move` takes."""
    build_project: Annotated[Word, AfterValidator(of_its_own)] = Field(
        default="lab-build", validate_default=True
    )
    alias_prefix: Annotated[str, AfterValidator(_prefix)] = "lab"
    pool: Word | None = None
    network: Word | None = None
    network_filters: bool = True
    """Users' containers send from no addresses but their own, where LXD can see to it."""
    port_isolation: bool = False
    """Users' containers do not reach one another over the network."""
    public: Public | None = None
    """The machine through which people come in from elsewhere, as cards name it."""
    contact: Contact | None = None
    """Whom people ask, as cards name them."""
    distribution: Word = "auto"
    source: Annotated[Source, AfterValidator(not_removed)] | None = None
    mirror: AptUrl | None = None
    security_mirror: AptUrl | None = None
    timezone: Annotated[str, AfterValidator(_timezone)] | None = None
    locale: Annotated[str, AfterValidator(_locale)] = "C.UTF-8"
    proxy: AptUrl | None = None
    ca_certificates: tuple[LocalPath, ...] = ()
    """Authorities that images trust beside the distribution's, as that of the mirror."""
    registry_mirrors: tuple[Annotated[UrlInside, AfterValidator(_registry_mirror)], ...] = ()
    """What docker in images asks in place of Docker Hub."""
    compression: Literal["zstd", "gzip", "pigz", "xz", "bzip2", "lzma", "none"] = "zstd"
    definitions: LocalPath | None = None
    cloud_init: LocalPath | None = None
    options: Mapping[str, bool] = Field(default_factory=dict)
    nvidia_container_toolkit: Toolkit | None = None
    """None: docker in images comes without it."""
    driver: DriverSettings = Field(default_factory=DriverSettings)
    gpus: GpuSettings = Field(default_factory=GpuSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    upgrade: UpgradeSettings = Field(default_factory=UpgradeSettings)
    share_paths: tuple[ServerPath, ...] = ()
    """Directories of the server that shares may be in; none by default."""
    shares: Mapping[ShareName, ShareSettings] = Field(default_factory=dict)
    snapshots: SnapshotSettings = Field(default_factory=SnapshotSettings)
    expiry: ExpirySettings = Field(default_factory=ExpirySettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    backup: BackupSettings = Field(default_factory=BackupSettings)

    @property
    def is_local(self) -> bool:
        """Whether LXD runs on this machine, whose own files then say what it does not."""
        return self.remote == "local"

    @property
    def holds_password(self) -> bool:
        urls = (
            self.proxy,
            self.mirror,
            self.security_mirror,
            self.driver.run and self.driver.run.url,
        )
        return any(login_of(url) for url in urls if url)

    @model_validator(mode="after")
    def _shares_are_allowed(self) -> Settings:
        refuse_outside(self.shares, self.share_paths)
        return self

    @model_validator(mode="after")
    def _key_within_reach(self) -> Settings:
        toolkit = self.nvidia_container_toolkit
        if toolkit is not None and toolkit.key_url and self.proxy and login_of(self.proxy):
            raise value_error(
                "nvidia-container-toolkit: key-url cannot be fetched through a proxy with a "
                "password; download the key, and set key: FILE instead of key-url"
            )
        return self


def settings_path(root: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The file that is read, whether it is there or not."""
    chosen = environ.get(VARIABLE)
    return Path(chosen).expanduser() if chosen else settings_file(root)


def load_settings(root: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in `settings_path`; without such a file, the defaults."""
    return load_with_tree(root, environ)[0]


def load_with_tree(
    root: Path, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, Tree | None]:
    """The same, and the file itself with its lines; None where there is no such file."""
    path = settings_path(root, environ)
    if not is_there(path):
        if environ.get(VARIABLE):
            usual = settings_file(root)
            read = usual if is_installed(root) else f"{usual.name} beside tasks.py"
            raise InputError(
                f"There is no settings file {shown(path)}.",
                fix=f"Correct or unset {VARIABLE}; without it labstamp reads {read}.",
            )
        return Settings(), None
    tree = read_tree(path)
    return load_tree(tree, Settings), tree


def is_there(path: Path) -> bool:
    """Also of a file in a directory that this account may not enter: reading it says so."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
