"""The last layer of a release: a clone of its body, with the driver's userland in it, packed.

Last, because it changes most often: after a driver update on the host only this is made anew, and
no package of the body is downloaded or unpacked again.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from images.aptcache import cache_device
from images.body import body_name, clean
from images.definition import Definition
from images.packing import pack_release, packs_inside
from images.placing import placed
from images.workshop import Log, Workshop
from lab import keys
from lab.boot import wait_for_init
from lab.errors import LxdError
from lab.lxd.model import InstanceSpec
from lab.process import me
from lab.userland import Userland, install
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
class Finished:
    """A stopped instance to be published; PACKED when the image is a file in it already."""

    instance: str
    packed: bool = False


def finish(
    shop: Workshop, definition: Definition, userland: Userland | None, log: Log, undo: ExitStack
) -> Finished:
    """DEFINITION's body with USERLAND in it; what is made for it is removed again by UNDO."""
    if userland is None and not packs_inside(shop.settings):
        return Finished(instance=body_name(definition.name))
    layer = layer_name(definition.name)
    log.phase(f"driver {userland.version}" if userland else "clone")
    undo.callback(shop.build.delete, layer)
    _clone(shop, definition, layer, log)
    shop.build.start(layer)
    wait_for_init(shop.build, layer)
    if userland is not None:
        _get_online(shop, layer)
        install(shop.build, layer, userland, throwaway=True, on_output=log.write)
    shop.build.delete_file(layer, _NO_CLOUD_INIT)
    pack = packs_inside(shop.settings)
    clean(shop, layer, log, keep_body=pack)
    packed = pack and pack_release(shop, layer, log)
    shop.build.stop(layer, force=True)
    return Finished(instance=layer, packed=packed)


def layer_name(template: str) -> str:
    return f"layer-{template}"


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
