"""Where the root of the tree comes from: a stopped instance made from the distribution's source."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import asdict

from images.build import bootstrap
from images.build.kept import keep, recipe_of
from images.build.recipe import Recipe, content
from images.build.user_accounts import tell_what_was_left
from images.context import BuildContext, Log
from images.placement import GROUNDS, NO_PROFILES, placed
from images.remote_inputs import DISTRIBUTION, MIRROR, SECURITY_MIRROR, made_with, seen
from lab import labels
from lab.errors import Conflict, InputError, LxdError, LxdUnreachable, PoolFull
from lab.instances.removal import remove_image, remove_instance
from lab.lxd.certificates import check_certificate
from lab.lxd.model import Image, InstanceSpec, State
from lab.machine.apt_sources import USUAL
from lab.names import did_you_mean
from lab.process import me
from lab.release import BUILDER, IMPORTED
from lab.settings.source import Bootstrap, File, FromInstance, Simplestreams, Source
from lab.tempdir import temp_directory
from lab.urls import without_login

_PLACES = {"path", "metadata", "certificate", "keyring"}
_NO_ALIAS = "Check that the server is reachable and has this alias, or set `source:` in lab.yaml."
_STRANGER = (
    "If this is the right server, set its certificate under `source:` in lab.yaml: "
    "certificate: FILE.pem"
)


def source_of(context: BuildContext) -> Source:
    """What the settings ask for, else the distribution's own."""
    return context.settings.source or context.distro.source


def source_recipe(context: BuildContext) -> Recipe:
    """What the source is made of. An image server's later content is not part of it."""
    source = source_of(context)
    inputs = {
        DISTRIBUTION: context.distro.name,
        # Where its files lie on the machine that looks is no part of what is in them.
        "source": content(source.model_dump(mode="json", exclude=_PLACES)),
    }
    if isinstance(source, Bootstrap):
        inputs |= mirror_inputs(context)
        if context.settings.proxy:
            # Earlier roots have it in their apt permanently, with its password.
            inputs["proxy"] = "only while the root is made"
        terms = (context.mirrors.main_terms, context.mirrors.security_terms)
        if terms != (USUAL, USUAL):
            inputs["terms of the mirrors"] = content([asdict(each) for each in terms])
    if isinstance(source, File):
        inputs |= _file_inputs(context, source)
    if isinstance(source, FromInstance):
        inputs["source used"] = _last_used(context, source)
    return Recipe(inputs=inputs)


def mirror_inputs(context: BuildContext) -> dict[str, str]:
    return {
        MIRROR: without_login(context.mirrors.main or ""),
        SECURITY_MIRROR: without_login(context.mirrors.security or ""),
    }


def _file_inputs(context: BuildContext, source: File) -> dict[str, str]:
    before = made_with(context.lxd, context.settings.alias_prefix)
    local = context.settings.is_local
    files = {"source file": source.path, "source metadata": source.metadata}
    return {
        name: seen(path, before.get(name), local=local)
        for name, path in files.items()
        if path is not None
    }


def _last_used(context: BuildContext, source: FromInstance) -> str:
    """When it was started the last time: a change in it needs a start."""
    origin = context.lxd.in_project(source.project).instance(source.name)
    if origin is None:
        before = made_with(context.lxd, context.settings.alias_prefix)
        return before.get("source used", "")
    return origin.last_used_at.isoformat() if origin.last_used_at else "never"


def source_name(context: BuildContext) -> str:
    return f"source-{context.distro.name.replace('.', '-')}"


def have_source(context: BuildContext, log: Log) -> str:
    """The name of a stopped instance in the build project that holds the source."""
    name, recipe = source_name(context), source_recipe(context)
    held = context.build.instance(name)
    if held is not None and recipe_of(held) == recipe.id:
        return name
    log.phase("source")
    remove_instance(context.build, name)
    with ExitStack() as undo:
        _create(context, name, log, undo)
        source = source_of(context)
        if isinstance(source, FromInstance):
            tell_what_was_left(context, source, name)
        keep(context.build, name, recipe.id)
        undo.pop_all()
    return name


def _create(context: BuildContext, name: str, log: Log, undo: ExitStack) -> None:
    config: dict[str, str] = {**GROUNDS, labels.PHASE: labels.PREPARING, labels.BUILDER: me()}
    source = source_of(context)
    undo.callback(remove_instance, context.build, name)
    if isinstance(source, FromInstance):
        _copy(context, source, name, config, log)
        return
    image = _image(context, source, log)
    try:
        context.build.create(
            InstanceSpec(
                name=name,
                image=image.fingerprint,
                profiles=NO_PROFILES,
                config=config,
                devices=placed(context),
            ),
            on_progress=log.progress(),
        )
    except PoolFull:
        raise
    except LxdError as error:
        if isinstance(source, File) and "npack" in (error.details or ""):
            raise InputError(
                f"The source file {source.path} is damaged: LXD cannot unpack it.",
                details=error.details,
                fix="Copy or export the file again, and compare its checksum.",
            ) from error
        raise
    finally:
        # An image of the user's own is kept; ours carries the mark.
        if IMPORTED in image.properties:
            remove_image(context.lxd, image.fingerprint)


def _copy(
    context: BuildContext, source: FromInstance, name: str, config: Mapping[str, str], log: Log
) -> None:
    """Clone an instance's root, and nothing else of it: no volumes, GPUs, limits, user-data."""
    origin = context.lxd.in_project(source.project).instance(source.name)
    if origin is None:
        known = [one.name for one in context.lxd.in_project(source.project).instances()]
        raise InputError(
            f"source: LXD has no instance {source.name} in the project {source.project}"
            f"{did_you_mean(source.name, known)}.",
            fix="Correct `source:` in lab.yaml.",
        )
    if origin.state is not State.STOPPED:
        raise InputError(
            f"source: the instance {source.name} is {origin.state.value.lower()}, not stopped.",
            details="A copy of a running system contains half-written files.",
            fix=f"lxc --project {source.project} stop {source.name}",
        )
    devices = placed(context)
    # An instance has one root disk: ours under the name that the original's own has, if it has one.
    roots = [key for key, device in origin.devices.items() if device.get("path") == "/"]
    renamed = {roots[0] if roots and key == "root" else key: one for key, one in devices.items()}
    made = context.build.create(
        InstanceSpec(
            name=name,
            copy_of=source.name,
            copy_project=source.project,
            profiles=NO_PROFILES,
            config=config,
            devices=renamed,
        ),
        on_progress=log.progress(),
    )
    context.build.update(
        name,
        # The `image.` keys tell what system it is, the `volatile.` ones are LXD's own.
        config={
            key: None
            for key in made.config
            if key not in config and not key.startswith(("volatile.", "image."))
        },
        devices={**dict.fromkeys(made.devices), **devices},
    )


def _image(context: BuildContext, source: Bootstrap | Simplestreams | File, log: Log) -> Image:
    properties = {IMPORTED: context.distro.name, BUILDER: me()}
    if isinstance(source, Bootstrap):
        with temp_directory() as directory:
            metadata, rootfs = bootstrap.make_root(context, source, directory, log)
            return context.lxd.import_image(
                metadata, rootfs, properties=properties, on_progress=log.progress()
            )
    if isinstance(source, Simplestreams):
        return _download(context, source, properties, log)
    return _import(context, source, properties, log)


def _download(
    context: BuildContext, source: Simplestreams, properties: dict[str, str], log: Log
) -> Image:
    before = {image.fingerprint for image in context.lxd.images()}
    try:
        image = context.lxd.download_image(
            source.server,
            source.alias,
            certificate=_certificate(source),
            on_progress=log.progress(),
        )
    except LxdError as error:
        told = error.details or error.brief
        raise InputError(
            f"The image {source.alias!r} could not be fetched from the image server "
            f"{source.server}.",
            details=told,
            fix=_STRANGER if "x509:" in told else _NO_ALIAS,
        ) from error
    return _marked(context, image, before, properties)


def _certificate(source: Simplestreams) -> str | None:
    if source.certificate is None:
        return None
    check_certificate("source.certificate", source.certificate)
    return source.certificate.read_text(encoding="ascii")


def _import(context: BuildContext, source: File, properties: dict[str, str], log: Log) -> Image:
    if not source.path.is_file():
        raise InputError(
            f"The source file {source.path} does not exist.",
            fix="Set `source: {kind: file, path: …}` in lab.yaml to a root file system tarball.",
        )
    before = {image.fingerprint for image in context.lxd.images()}
    with temp_directory() as directory:
        metadata, rootfs = bootstrap.with_metadata(context.distro, source, directory)
        try:
            image = context.lxd.import_image(
                metadata, rootfs, properties={}, on_progress=log.progress()
            )
        except (LxdUnreachable, Conflict):
            raise
        except LxdError as error:
            raise InputError(
                f"LXD does not accept the source file {source.path}.",
                details=error.details or error.brief,
                fix="Pack it in another form: a tarball, packed with zstd, xz, gzip or not at all.",
            ) from error
    return _marked(context, image, before, properties)


def _marked(
    context: BuildContext, image: Image, before: AbstractSet[str], properties: dict[str, str]
) -> Image:
    """IMAGE as ours to delete; but not one that was there: a release may be its own source."""
    if image.fingerprint in before:
        return image
    context.lxd.set_image_properties(image.fingerprint, properties)
    return context.lxd.image(image.fingerprint) or image
