"""The driver layer: NVIDIA's userland on top of a body, always the last thing in an image.

Last, because it changes most often: after a driver update on the host only this layer is made
anew, and no package of the body is downloaded or unpacked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from images.aptcache import cache_device
from images.body import body_name, clean
from images.definition import Definition
from images.placing import placed
from images.workshop import Log, Workshop
from lab import keys
from lab.boot import wait_for_init
from lab.delivery import Chosen, Delivery, choose
from lab.driver import host_driver
from lab.errors import InputError, LxdError
from lab.lxd.model import InstanceSpec
from lab.process import me
from lab.userland import Userland, install, userland_of
from lab.wait import poll

# Nothing in a layer's builder needs cloud-init: without it the clone is up in a second.
_NO_CLOUD_INIT = "/etc/cloud/cloud-init.disabled"
# Its network then has to come from elsewhere, and goes with the builder's memory.
_NETWORK = "/run/systemd/network/10-labstamp-builder.network"
_DHCP = b"[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n"
_GET_ONLINE = """\
cp -n --reflink=auto /mnt/*.deb /var/cache/apt/archives/ 2>/dev/null
systemctl start systemd-resolved 2>/dev/null
systemctl restart systemd-networkd
"""
_ADDRESS_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What of a driver a template's releases carry: a USERLAND, or none as it comes otherwise."""

    chosen: Chosen
    asked: Delivery | None = None
    """The delivery that the template's definition, or its parent's, asks for."""
    userland: Userland | None = None

    @property
    def version(self) -> str | None:
        return self.userland.version if self.userland else None

    def inputs(self) -> dict[str, str]:
        """What a release's recipe says of it."""
        asked = {"delivery": self.asked.value} if self.asked else {}
        return {**asked, **(self.userland.inputs() if self.userland else {})}

    def __str__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return (
            f"driver{version} by {self.chosen}" if version else f"no driver inside, {self.chosen}"
        )


def layers(shop: Workshop, templates: Iterable[str]) -> Mapping[str, Layer]:
    """By template. InputError where there is nothing to make an image's userland from."""
    server, cards = shop.lxd.server(), shop.lxd.cards()
    userland: Userland | None = None
    found = {}
    for name in templates:
        asked = shop.catalog.delivery(name)
        chosen = choose(shop.settings, server, cards, template=asked)
        if chosen.delivery is Delivery.IMAGE and userland is None:
            userland = userland_of(shop.settings, _version(shop))
        baked = userland if chosen.delivery is Delivery.IMAGE else None
        found[name] = Layer(chosen=chosen, asked=asked, userland=baked)
    return found


def in_words(found: Mapping[str, Layer]) -> tuple[str, ...]:
    """One line where all templates get it the same way, else a line each."""
    if len(set(map(str, found.values()))) > 1:
        return tuple(f"{name}: {layer}" for name, layer in found.items())
    return tuple(str(layer) for layer in list(found.values())[:1])


def _version(shop: Workshop) -> str:
    wanted = shop.settings.driver.version
    host = host_driver(shop.lxd, local=shop.settings.remote == "local")
    if wanted is not None and host not in {None, wanted}:
        raise InputError(
            f"`driver: {{version: {wanted}}}` in lab.yaml is not the version of this host's "
            f"kernel module, {host}: users would never get such a release.",
            fix="Take `version:` out of lab.yaml, or update the host's driver and reboot first.",
        )
    version = wanted or host
    if version is None:
        raise InputError(
            "This host has no NVIDIA kernel module loaded, so images cannot match its version.",
            fix="Load the driver, or set `driver: {version: …}` or `driver: {delivery: none}` in "
            "lab.yaml.",
        )
    return version


def layer_name(template: str) -> str:
    return f"layer-{template}"


def add_driver(
    shop: Workshop, definition: Definition, userland: Userland, log: Log, undo: ExitStack
) -> str:
    """A stopped clone of DEFINITION's body with USERLAND in it, removed again by UNDO."""
    layer = layer_name(definition.name)
    log.phase(f"driver {userland.version}")
    undo.callback(shop.build.delete, layer)
    _clone(shop, definition, layer, log)
    shop.build.start(layer)
    wait_for_init(shop.build, layer)
    _get_online(shop, layer)
    install(shop.build, layer, userland, throwaway=True, on_output=log.write)
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
            devices={**placed(shop, needs.devices), **cache_device(shop)},
        ),
        on_progress=log.progress(),
    )
    shop.build.write_file(layer, _NO_CLOUD_INIT, b"")


def _get_online(shop: Workshop, layer: str) -> None:
    """With the packages that earlier builds have downloaded. What needs no network does without."""
    shop.build.write_file(layer, _NETWORK, _DHCP)
    shop.build.run(layer, ["sh", "-c", _GET_ONLINE], timeout=60)
    try:
        poll(
            lambda: shop.build.state(layer).ipv4 or None,
            what=f"an address of {layer}",
            timeout=_ADDRESS_SECONDS,
            every=0.2,
        )
    except LxdError:
        return
