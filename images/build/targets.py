"""What the files ask for now: recipes of every template, and the texts they render to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from images.build.driver import Layer, layers
from images.build.plan import Wanted
from images.build.recipe import PARENT, PIPELINE, Recipe, content
from images.build.source import mirror_inputs, source_recipe
from images.context import Workshop
from images.remote_inputs import TIMEZONE
from images.templates.catalog import Definition
from images.templates.cloud_config import user_data
from lab.cloudinit.render import sources_of
from lab.errors import InputError

# What of a definition is part of its root file system; the rest belongs to the release alone.
_BODY_FIELDS = {
    "name",
    "parent",
    "cloud_init",
    "packages",
    "scripts",
    "options",
    "instance",
    "own_files",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A template with all that building it takes."""

    definition: Definition
    wanted: Wanted
    user_data: str
    layer: Layer


def orders(shop: Workshop, selected: Sequence[Definition]) -> tuple[Order, ...]:
    """SELECTED and all their parents, parents first. InputError where a file is wrong."""
    needed = {one.name for chosen in selected for one in shop.catalog.lineage(chosen.name)}
    found = layers(shop, (one.name for one in shop.catalog.order() if one.name in needed))
    made: dict[str, Order] = {}
    for definition in shop.catalog.order():
        if definition.name in needed:
            made[definition.name] = _order(shop, definition, made, found[definition.name])
    return tuple(made.values())


def _order(
    shop: Workshop, definition: Definition, made: Mapping[str, Order], layer: Layer
) -> Order:
    reason = shop.catalog.refusal(definition.name, shop.distro.name)
    if reason is not None:
        raise InputError(
            f"{definition.name} cannot be built on {shop.distro.name}: {reason}.",
            fix="Set `distribution:` in lab.yaml to another release, or leave the template out: "
            "--only.",
        )
    text = user_data(definition, shop.distro, shop.settings, shop.mirrors)
    body = _body_recipe(shop, definition, text, made)
    return Order(
        definition=definition,
        user_data=text,
        layer=layer,
        wanted=Wanted(
            template=definition.name,
            parent=definition.parent,
            body=body,
            release=_release_recipe(shop, definition, body, layer),
        ),
    )


def _body_recipe(
    shop: Workshop, definition: Definition, text: str, made: Mapping[str, Order]
) -> Recipe:
    inputs = {"pipeline": PIPELINE, "rendered cloud-config": content(text)}
    if definition.parent:
        inputs[PARENT + definition.parent] = made[definition.parent].wanted.body.id
    else:
        inputs |= {**source_recipe(shop).inputs, **mirror_inputs(shop), TIMEZONE: shop.timezone}
    inputs[f"images/definitions/{definition.name}.yaml"] = content(
        definition.model_dump(mode="json", include=_BODY_FIELDS)
    )
    for source in sources_of(definition.cloud_init, shop.templates):
        inputs[f"cloud-init/{source.name}"] = content(source.read_bytes())
    # Not pack.sh: how an image is packed depends on where it is built from, what is in it does not.
    for script in (*definition.scripts, "clean.sh"):
        inputs[f"images/scripts/{script}"] = content((shop.scripts / script).read_bytes())
    return Recipe(inputs=inputs)


def _release_recipe(shop: Workshop, definition: Definition, body: Recipe, layer: Layer) -> Recipe:
    # A key that came later makes nothing stale where it says nothing.
    later = set() if definition.allow_special else {"allow_special"}
    whole = definition.model_dump(mode="json", exclude={"path", "description", *later})
    checks = [check.model_dump(mode="json") for check in shop.catalog.checks(definition.name)]
    return body.extended(
        {
            f"images/definitions/{definition.name}.yaml": content(whole),
            "checks": content(checks),
            "compression": shop.settings.compression,
            **layer.inputs(),
        }
    )
