"""What the files and the host say of the images to make; known without LXD."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from images.templates.catalog import Catalog, load_catalog
from images.templates.distro import Distro, load_distro
from lab.machine.apt_sources import Mirrors, host_mirrors
from lab.machine.host import host_timezone
from lab.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFiles:
    settings: Settings
    catalog: Catalog
    distro: Distro
    mirrors: Mirrors
    timezone: str
    root: Path
    """The checkout: `images/`, `cloud-init/` and `logs/` are below it."""

    @property
    def scripts(self) -> Path:
        return self.root / "images" / "scripts"

    @property
    def templates(self) -> Path:
        """Where the definitions' cloud-init sources are."""
        return self.settings.cloud_init or self.root / "cloud-init"


def read_lab_files(
    root: Path,
    settings: Settings,
    *,
    host_mirrors: Callable[[str, str], Mirrors] = host_mirrors,
    host_timezone: Callable[[], str] = host_timezone,
) -> LabFiles:
    """Gather it. InputError names what is wrong in a file, and where."""
    distro = load_distro(settings.distribution, root / "images" / "distros")
    host = host_mirrors(distro.family, distro.codename)
    return LabFiles(
        settings=settings,
        catalog=load_catalog(
            settings.definitions or root / "images" / "definitions",
            cloud_init=settings.cloud_init or root / "cloud-init",
            scripts=root / "images" / "scripts",
        ),
        distro=distro,
        mirrors=host.instead(settings.mirror, settings.security_mirror),
        timezone=settings.timezone or host_timezone(),
        root=root,
    )
