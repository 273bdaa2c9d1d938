"""Everything that people wrote, judged without LXD: the work behind `invoke check-definitions`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from images.templates.catalog import Catalog, load_catalog
from images.templates.cloud_config import user_data
from images.templates.distro import Distro, distro_names, load_distro
from lab.cloudinit.account import Account, account_text
from lab.errors import InputError
from lab.machine.apt_sources import Mirrors
from lab.names import did_you_mean
from lab.own_files import insist_on_named
from lab.settings.settings import Settings, load_settings, settings_path
from lab.settings.toolkit import Toolkit
from lab.yaml.problems import BadFiles, Problem, in_order
from lab.yaml.tree import read_tree

_MIRROR = "https://mirror.example/archive"


def judge_files(root: Path, environ: Mapping[str, str] = os.environ) -> tuple[Problem, ...]:
    """All problems of ROOT's definitions, distributions, cloud-init sources and settings."""
    problems: list[Problem] = []
    written = settings_path(root, environ)
    settings, catalog = Settings(), None
    with _noting(problems, written):
        settings = load_settings(root, environ)
    insist_on_named(settings)
    directory = settings.definitions or root / "images" / "definitions"
    sources = settings.cloud_init or root / "cloud-init"
    with _noting(problems, directory):
        catalog = load_catalog(directory, cloud_init=sources, scripts=root / "images" / "scripts")
    distros = _distros(root / "images" / "distros", problems)
    if catalog is not None:
        known = [distro.name for distro in distros]
        problems += _unknown_options(catalog, settings, written)
        problems += _unknown_refusals(catalog, known)
        for variant in _variants(settings, catalog, sources):
            for distro in distros:
                _render(catalog, distro, variant, problems)
    with _noting(problems, sources):
        account_text(Account(name="ann", keys=("ssh-ed25519 AAAA",)), sources)
    return in_order(problems)


@contextmanager
def _noting(problems: list[Problem], path: Path) -> Iterator[None]:
    """Go on after an InputError; one that names no place is PATH's."""
    try:
        yield
    except BadFiles as bad:
        problems.extend(bad.problems)
    except InputError as error:
        text = " ".join(filter(None, (error.brief, error.details)))
        problems.append(Problem(path=path, text=text))


def _distros(directory: Path, problems: list[Problem]) -> tuple[Distro, ...]:
    distros = []
    for name in distro_names(directory):
        with _noting(problems, directory / f"{name}.yaml"):
            distros.append(load_distro(name, directory))
    return tuple(distros)


def _unknown_options(catalog: Catalog, settings: Settings, written: Path) -> Iterator[Problem]:
    known = {name for one in catalog.order() for name in one.options}
    for name in settings.options:
        if name not in known:
            text = f"options.{name}: no template has this option{did_you_mean(name, known)}"
            yield read_tree(written).problem(("options", name), text)


def _unknown_refusals(catalog: Catalog, known: Sequence[str]) -> Iterator[Problem]:
    for definition in catalog.order():
        for name in definition.refuse:
            # A release to come may be refused before there is a file for it.
            family = name.rpartition("-")[0]
            if family not in {one.rpartition("-")[0] for one in known}:
                text = f"refuse.{name}: no such distribution{did_you_mean(name, known)}"
                yield read_tree(definition.path).problem(("refuse", name), text)


def _variants(settings: Settings, catalog: Catalog, sources: Path) -> tuple[Settings, ...]:
    """The settings as they are, and with every branch of a template taken the other way."""
    options = {name: default for one in catalog.order() for name, default in one.options.items()}
    options |= settings.options
    here = {"cloud_init": sources}
    every = {
        "proxy": None if settings.proxy else _MIRROR,
        "locale": "C.UTF-8" if settings.locale != "C.UTF-8" else "en_US.UTF-8",
        "mirror": _MIRROR,
        "security_mirror": _MIRROR,
        "nvidia_container_toolkit": None
        if settings.nvidia_container_toolkit
        else Toolkit(url=_MIRROR, key_url=_MIRROR),
        "registry_mirrors": () if settings.registry_mirrors else ("https://mirror.example",),
        "options": {name: not value for name, value in options.items()},
    }
    return (
        settings.model_copy(update={**here, "mirror": None, "security_mirror": None}),
        settings.model_copy(update={**here, **every}),
    )


def _render(catalog: Catalog, distro: Distro, settings: Settings, problems: list[Problem]) -> None:
    mirrors = Mirrors(main=settings.mirror, security=settings.security_mirror)
    timezone = settings.timezone or "Etc/UTC"
    for definition in catalog.order():
        if catalog.refusal(definition.name, distro.name) is None:
            with _noting(problems, definition.path):
                user_data(definition, distro, settings, mirrors, timezone=timezone)
