"""What the files ask for now: recipes of every template, and the texts they render to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from images.build.driver import DriverChoice, driver_choices
from images.build.plan import TemplateRecipes
from images.build.recipe import PARENT, PIPELINE, Recipe, content
from images.build.source import mirror_inputs, source_recipe
from images.context import BuildContext
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
class Target:
    """A template with all that building it takes."""

    definition: Definition
    recipes: TemplateRecipes
    user_data: str
    driver: DriverChoice


def targets(context: BuildContext, selected: Sequence[Definition]) -> tuple[Target, ...]:
    """SELECTED and all their parents, parents first. InputError where a file is wrong."""
    needed = {one.name for chosen in selected for one in context.catalog.lineage(chosen.name)}
    found = driver_choices(
        context, (one.name for one in context.catalog.order() if one.name in needed)
    )
    made: dict[str, Target] = {}
    for definition in context.catalog.order():
        if definition.name in needed:
            made[definition.name] = _target(context, definition, made, found[definition.name])
    return tuple(made.values())


def _target(
    context: BuildContext, definition: Definition, made: Mapping[str, Target], driver: DriverChoice
) -> Target:
    reason = context.catalog.refusal(definition.name, context.distro.name)
    if reason is not None:
        raise InputError(
            f"{definition.name} cannot be built on {context.distro.name}: {reason}.",
            fix="Set `distribution:` in lab.yaml to another release, or leave the template out: "
            "--only.",
        )
    text = user_data(
        definition, context.distro, context.settings, context.mirrors, timezone=context.timezone
    )
    body = _body_recipe(context, definition, text, made)
    return Target(
        definition=definition,
        user_data=text,
        driver=driver,
        recipes=TemplateRecipes(
            template=definition.name,
            parent=definition.parent,
            abstract=definition.abstract,
            body=body,
            release=_release_recipe(context, definition, body, driver),
        ),
    )


def _body_recipe(
    context: BuildContext, definition: Definition, text: str, made: Mapping[str, Target]
) -> Recipe:
    inputs = {"pipeline": PIPELINE, "rendered cloud-config": content(text)}
    if definition.parent:
        inputs[PARENT + definition.parent] = made[definition.parent].recipes.body.id
    else:
        inputs |= {
            **source_recipe(context).inputs,
            **mirror_inputs(context),
            TIMEZONE: context.timezone,
        }
    inputs[f"images/definitions/{definition.name}.yaml"] = content(
        definition.model_dump(mode="json", include=_BODY_FIELDS)
    )
    for source in sources_of(definition.cloud_init, context.templates):
        inputs[f"cloud-init/{source.name}"] = content(source.read_bytes())
    # Not pack.sh: how an image is packed depends on where it is built from, what is in it does not.
    for script in (*definition.scripts, "clean.sh"):
        inputs[f"images/scripts/{script}"] = content((context.scripts / script).read_bytes())
    return Recipe(inputs=inputs)


def _release_recipe(
    context: BuildContext, definition: Definition, body: Recipe, driver: DriverChoice
) -> Recipe:
    # Keys that came later make nothing stale where they say nothing.
    later = {"abstract"} if definition.allow_special else {"abstract", "allow_special"}
    whole = definition.model_dump(mode="json", exclude={"path", "description", *later})
    checks = [check.model_dump(mode="json") for check in context.catalog.checks(definition.name)]
    return body.extended(
        {
            f"images/definitions/{definition.name}.yaml": content(whole),
            "checks": content(checks),
            "compression": context.settings.compression,
            **driver.inputs(),
        }
    )
