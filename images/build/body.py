"""Bodies: a template's root file system, made in a builder and kept as a stopped instance."""

from __future__ import annotations

import json
from contextlib import ExitStack

from images.apt_cache import DEVICE, cache_device
from images.build.apt_login import give_login, take_login
from images.build.boot_errors import explain_boot
from images.build.kept import keep
from images.build.packing import pack_body, packs_inside
from images.build.recipe import Recipe
from images.build.scripts import run_script
from images.build.source import have_source
from images.context import BuildContext, Log
from images.placement import GROUNDS, NO_PROFILES, placed
from images.templates.catalog import Definition
from lab import labels
from lab.errors import InputError
from lab.instances.at_rest import RAW, at_rest
from lab.instances.boot import BootFailed, wait_for_cloud_init, wait_for_init
from lab.instances.removal import remove_instance
from lab.lxd.model import InstanceSpec
from lab.process import me

FIRST_BOOT_SECONDS = 1800
"""A first boot installs everything; on a slow mirror a desktop took 20 minutes."""


def body_name(template: str) -> str:
    return f"body-{template}"


def builder_name(template: str) -> str:
    return f"builder-{template}"


def make_body(
    context: BuildContext, definition: Definition, recipe: Recipe, user_data: str, log: Log
) -> str:
    """Rebuild DEFINITION's body and keep it; the old one is used until it is finished."""
    origin = body_name(definition.parent) if definition.parent else have_source(context, log)
    builder = builder_name(definition.name)
    with ExitStack() as undo:
        undo.callback(_discard, context, builder, definition)
        clone(context, definition, origin=origin, user_data=user_data, log=log)
        boot(context, builder, definition, user_data, log)
        run_scripts(context, builder, definition, log)
        put_aside(context, builder, log)
        with at_rest(context.build, builder):
            clean(context, builder, definition, log)
            if packs_inside(context.settings) and not definition.abstract:
                pack_body(context, builder, log)
        body = _keep(context, builder, definition, recipe)
        undo.pop_all()
    return body


def clone(
    context: BuildContext, definition: Definition, *, origin: str, user_data: str, log: Log
) -> None:
    """Clone ORIGIN copy-on-write into a stopped builder that will boot with USER_DATA."""
    log.phase("clone")
    builder = builder_name(definition.name)
    remove_instance(context.build, builder)
    needs = context.catalog.needs(definition.name)
    context.build.create(
        InstanceSpec(
            name=builder,
            copy_of=origin,
            copy_project=context.build.project,
            profiles=NO_PROFILES,
            config={
                **needs.config,
                **GROUNDS,
                context.build.server().user_data_key: user_data,
                labels.TEMPLATE: definition.name,
                labels.PHASE: labels.PREPARING,
                labels.BUILDER: me(),
                labels.RECIPE: "",
                labels.INPUTS: "",
            },
            # None of its devices: a builder is no container, and what it writes is not theirs.
            devices={**placed(context), **cache_device(context)},
        ),
        on_progress=log.progress(),
    )
    give_login(context, builder)


def boot(
    context: BuildContext, builder: str, definition: Definition, user_data: str, log: Log
) -> None:
    """Start BUILDER and see cloud-init through; InputError or CheckError tell why not."""
    log.phase("boot")
    context.build.start(builder)
    wait_for_init(context.build, builder)
    _check_schema(context, builder, definition, user_data, log)
    log.phase("cloud-init")
    try:
        outcome = wait_for_cloud_init(
            context.build, builder, timeout=FIRST_BOOT_SECONDS, on_output=log.write
        )
    except BootFailed as failed:
        log.write(failed.output)
        raise explain_boot(
            definition, context.distro, (str(failed),), failed.output, log.path
        ) from failed
    if outcome.errors:
        raise explain_boot(definition, context.distro, outcome.errors, outcome.output, log.path)


def run_scripts(context: BuildContext, builder: str, definition: Definition, log: Log) -> None:
    """Run the definition's scripts as root, in order."""
    for script in definition.scripts:
        log.phase(script)
        run_script(context, builder, script, log)


def put_aside(context: BuildContext, builder: str, log: Log) -> None:
    """Give downloaded packages back, stop BUILDER for good, and take the cache off it."""
    run_script(context, builder, "keep-packages.sh", log)
    context.build.stop(builder, force=True)
    context.build.update(builder, devices={DEVICE: None})


def clean(
    context: BuildContext,
    builder: str,
    definition: Definition,
    log: Log,
    *,
    keep_body: bool = False,
) -> None:
    """Take the traces of BUILDER, which is at rest, away.

    But for its packed body where that is to be kept.
    """
    log.phase("clean")
    take_login(context, builder)
    now = context.build.run(builder, ["date", "+%s.%N"], timeout=30).stdout.strip()
    context.build.update(builder, config={labels.CLEANED: now})
    own_files = context.catalog.own_files(definition.name)
    options = ["--keep-body"] if keep_body else []
    run_script(context, builder, "clean.sh", log, *options, *own_files)


def _check_schema(
    context: BuildContext, builder: str, definition: Definition, user_data: str, log: Log
) -> None:
    """Have the builder's own cloud-init judge the text; its version knows which keys it has."""
    path = "/run/labstamp/user-data.yaml"
    context.build.write_file(builder, path, user_data.encode(), mode=0o600)
    verdict = context.build.run(builder, ["cloud-init", "schema", "-c", path], timeout=60)
    log.write(f"cloud-init schema: {verdict.stdout}{verdict.stderr}")
    if verdict.exit_code == 127:
        raise InputError(
            f"The source image of {definition.name} has no cloud-init.",
            fix="Set `source:` in lab.yaml to an image with cloud-init: on image servers its alias "
            "often ends in /cloud.",
        )
    if verdict.exit_code != 0:
        raise InputError(
            f"cloud-init in {context.distro.name} refuses the cloud-config that "
            f"cloud-init/{definition.cloud_init} renders to.",
            details=(verdict.stderr or verdict.stdout).strip(),
            fix=f"Show it with: invoke render {definition.name}",
        )


def _keep(context: BuildContext, builder: str, definition: Definition, recipe: Recipe) -> str:
    body = body_name(definition.name)
    context.build.update(
        builder,
        config={
            context.build.server().user_data_key: None,
            labels.INPUTS: json.dumps(dict(recipe.inputs), sort_keys=True),
        },
    )
    # A crash in between leaves no body, and the next run makes it again: it is a cache. Whatever
    # its name is by then, it counts as half made until the last of these calls.
    remove_instance(context.build, body)
    context.build.rename(builder, body)
    keep(context.build, body, recipe.id)
    return body


def _discard(context: BuildContext, builder: str, definition: Definition) -> None:
    """Remove a builder that failed, or keep it for a look when asked to."""
    if not context.keep_failed:
        remove_instance(context.build, builder)
        return
    kept = f"failed-{definition.name}"
    if context.build.instance(builder) is None:
        return
    remove_instance(context.build, kept)
    context.build.stop(builder, force=True)
    context.build.update(builder, config={labels.PHASE: labels.FAILED, RAW: None})
    context.build.rename(builder, kept)
    context.report.say(
        f"{definition.name}: the builder is kept as {kept}. Look at it with:\n"
        f"  lxc --project {context.build.project} start {kept}\n"
        f"  lxc --project {context.build.project} exec {kept} -- bash"
    )
