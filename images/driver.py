"""The driver layer: NVIDIA's userland on top of a body, always the last thing in an image.

Last, because it changes most often: after a driver update on the host only this layer is made
anew, and no package of the body is downloaded or unpacked again.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from images.blueprint import Blueprint
from images.body import body_name, clean, run_script
from images.definition import Definition
from images.placing import placed
from images.recipe import content
from images.workshop import Log, Workshop
from lab import keys
from lab.boot import wait_for_init
from lab.driver import host_driver
from lab.errors import InputError
from lab.lxd.model import InstanceSpec
from lab.process import me

_INBOX = "/run/labstamp/driver"
# Nothing in a layer's builder needs cloud-init: without it the clone is up in a second.
_NO_CLOUD_INIT = "/etc/cloud/cloud-init.disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A userland to bake in: VERSION, from the .deb files PACKAGES."""

    version: str
    packages: tuple[Path, ...]

    def inputs(self) -> dict[str, str]:
        """What a release's recipe says of it."""
        said = [(path.name, content(path.read_bytes())) for path in self.packages]
        return {"driver": self.version, "driver packages": content(said)}


def driver_of(files: Blueprint) -> Driver | None:
    """The driver that releases are to carry; None where images carry none."""
    wanted = files.settings.driver
    if wanted.delivery == "none":
        return None
    version = wanted.version or host_driver()
    if version is None:
        raise InputError(
            "This host has no NVIDIA kernel module loaded, so images cannot match its version.",
            fix="Load the driver, or set `driver: {version: …}` or `driver: {delivery: none}` in "
            "lab.yaml.",
        )
    packages = sorted(wanted.packages.glob("*.deb")) if wanted.packages else []
    if not packages:
        raise InputError(
            f"There is no .deb of driver {version} to put into images.",
            details=f"{wanted.packages} holds none." if wanted.packages else None,
            fix="Set `driver: {packages: DIRECTORY}` in lab.yaml to a directory of .deb files.",
        )
    return Driver(version=version, packages=tuple(packages))


def layer_name(template: str) -> str:
    return f"layer-{template}"


def add_driver(
    shop: Workshop, definition: Definition, driver: Driver, log: Log, undo: ExitStack
) -> str:
    """A stopped clone of DEFINITION's body with DRIVER in it, removed again by UNDO."""
    layer = layer_name(definition.name)
    log.phase(f"driver {driver.version}")
    undo.callback(shop.build.delete, layer)
    _clone(shop, definition, layer, log)
    shop.build.start(layer)
    wait_for_init(shop.build, layer)
    for package in driver.packages:
        shop.build.write_file(layer, f"{_INBOX}/{package.name}", package.read_bytes())
    run_script(shop, layer, "driver-layer.sh", log)
    clean(shop, layer, log)
    shop.build.delete_file(layer, _NO_CLOUD_INIT)
    return layer


def _clone(shop: Workshop, definition: Definition, layer: str, log: Log) -> None:
    needs = shop.catalog.needs(definition.name)
    shop.build.delete(layer)
    shop.build.create(
        InstanceSpec(
            name=layer,
            copy_of=body_name(definition.name),
            copy_project=shop.build.project,
            config={
                **needs.config,
                keys.TEMPLATE: definition.name,
                keys.PHASE: keys.PREPARING,
                keys.BUILDER: me(),
            },
            devices=placed(shop, needs.devices),
        ),
        on_progress=log.progress(),
    )
    shop.build.write_file(layer, _NO_CLOUD_INIT, b"")
