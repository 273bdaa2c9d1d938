"""The last layer of a release: a clone of its body, with the driver's userland in it, packed.

Last, because it changes most often: after a driver update on the host only this is rebuilt, and
no package of the body is downloaded or unpacked again. The clone never boots
(lab.instances.at_rest).
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from images.apt_cache import DEVICE, cache_device
from images.build.apt_login import give_login
from images.build.body import body_name, clean
from images.build.packing import pack_release, packs_inside
from images.build.scripts import run_script, try_script
from images.context import BuildContext, Log
from images.placement import GROUNDS, NO_PROFILES, placed
from images.templates.catalog import Definition
from lab import labels
from lab.driver.userland import Userland, install
from lab.instances.at_rest import at_rest
from lab.instances.removal import remove_instance
from lab.lxd.model import InstanceSpec
from lab.process import me


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A stopped instance to be published; PACKED when the image is a file in it already."""

    instance: str
    packed: bool = False


def finish(
    context: BuildContext,
    definition: Definition,
    userland: Userland | None,
    log: Log,
    undo: ExitStack,
) -> Finished:
    """DEFINITION's body with USERLAND in it; what is made for it is removed again by UNDO."""
    pack = packs_inside(context.settings)
    if userland is None and not pack:
        return Finished(instance=body_name(definition.name))
    layer = layer_name(definition.name)
    log.phase(f"driver {userland.version}" if userland else "clone")
    undo.callback(remove_instance, context.build, layer)
    _clone(context, definition, layer, log)
    if userland is not None:
        _install(context, layer, userland, log)
    packed = False
    with at_rest(context.build, layer):
        # A clone of a clean body that never ran is as clean.
        if userland is not None:
            clean(context, layer, definition, log, keep_body=pack)
        if pack:
            packed = pack_release(context, layer, log)
    return Finished(instance=layer, packed=packed)


def layer_name(template: str) -> str:
    return f"layer-{template}"


def _clone(context: BuildContext, definition: Definition, layer: str, log: Log) -> None:
    needs = context.catalog.needs(definition.name)
    remove_instance(context.build, layer)
    context.build.create(
        InstanceSpec(
            name=layer,
            copy_of=body_name(definition.name),
            copy_project=context.build.project,
            profiles=NO_PROFILES,
            config={
                **needs.config,
                **GROUNDS,
                labels.TEMPLATE: definition.name,
                labels.PHASE: labels.PREPARING,
                labels.BUILDER: me(),
            },
            devices=placed(context),
        ),
        on_progress=log.progress(),
    )


def _install(context: BuildContext, layer: str, userland: Userland, log: Log) -> None:
    """Put USERLAND into LAYER. What that starts ends with it, before the layer is cleaned."""
    context.build.update(layer, devices=cache_device(context))
    give_login(context, layer)
    with at_rest(context.build, layer):
        # What needs no network does without.
        try_script(context, layer, "online.sh", log)
        install(context.build, layer, userland, throwaway=True, on_output=log.write)
        run_script(context, layer, "keep-packages.sh", log)
    context.build.update(layer, devices={DEVICE: None})
