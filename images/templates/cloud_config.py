"""The cloud-config that a builder boots with: a definition's template, filled. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

from images.templates.catalog import Definition
from images.templates.distro import Distro
from lab.certificate_authorities import read_authorities
from lab.cloudinit.render import render
from lab.errors import InputError
from lab.machine.apt_sources import Mirrors, Terms
from lab.places import CLOUD_INIT
from lab.settings.settings import Settings
from lab.settings.toolkit import Toolkit
from lab.urls import without_login


def user_data(
    definition: Definition, distro: Distro, settings: Settings, mirrors: Mirrors, *, timezone: str
) -> str:
    """The whole text; InputError with the template's line where it cannot be rendered."""
    directory = settings.cloud_init or CLOUD_INIT
    values = template_values(definition, distro, settings, mirrors, timezone)
    return render(definition.cloud_init, directory, values)


def template_values(
    definition: Definition, distro: Distro, settings: Settings, mirrors: Mirrors, timezone: str
) -> Mapping[str, object]:
    """Everything that a template may name."""
    overridden = {
        name: value for name, value in settings.options.items() if name in definition.options
    }
    return {
        "template": definition.name,
        "description": definition.description,
        "family": distro.family,
        "release": distro.release,
        "codename": distro.codename,
        "packages": list(distro.packages(definition.packages)),
        "archives": _archives(distro, mirrors),
        "keyring": str(distro.keyring),
        "ca_certificates": list(read_authorities(settings.ca_certificates)),
        "registry_mirrors": list(settings.registry_mirrors),
        "timezone": timezone,
        "locale": settings.locale,
        "proxy": without_login(settings.proxy) if settings.proxy else None,
        "options": {**definition.options, **overridden},
        "nvidia_container_toolkit": _toolkit(settings.nvidia_container_toolkit),
    }


def _archives(distro: Distro, mirrors: Mirrors) -> list[dict[str, object]]:
    """The apt sources of the image; none where no mirror is known: then it keeps its own."""
    if mirrors.main is None:
        return []
    security, terms = mirrors.security, mirrors.security_terms
    if security is None and distro.family == "ubuntu":
        # Ubuntu's mirrors carry the security suite themselves, Debian's have it apart.
        security, terms = mirrors.main, mirrors.main_terms
    archives = [_archive(distro, "main", mirrors.main, mirrors.main_terms, distro.suites)]
    if security is not None:
        suites = (distro.security_suite,)
        archives.append(_archive(distro, "security", security, terms, suites))
    return archives


def _archive(
    distro: Distro, name: str, uri: str, terms: Terms, suites: Sequence[str]
) -> dict[str, object]:
    keyring = str(distro.keyring)
    if terms.key is not None:
        # apt tells by the ending which form a key has.
        ending = "asc" if terms.key.startswith(b"-----BEGIN") else "gpg"
        keyring = f"/etc/apt/keyrings/labstamp-{name}.{ending}"
    return {
        "uri": without_login(uri),
        "suites": list(suites),
        "components": list(distro.components),
        "keyring": keyring,
        "key": b64encode(terms.key).decode() if terms.key is not None else None,
        "check_valid_until": terms.check_valid_until,
        "trusted": terms.trusted,
    }


def _toolkit(toolkit: Toolkit | None) -> dict[str, object] | None:
    """The apt source with the bytes of its key, which thereby are part of the recipe."""
    if toolkit is None:
        return None
    try:
        key = b64encode(toolkit.key.read_bytes()).decode() if toolkit.key else None
    except OSError as error:
        raise InputError(
            f"The key {toolkit.key} cannot be read.",
            details=error.strerror,
            fix="Correct `nvidia-container-toolkit:` in lab.yaml.",
        ) from error
    return {
        "url": toolkit.url,
        "suite": toolkit.suite,
        "components": list(toolkit.components),
        "key": key,
        "key_url": toolkit.key_url,
    }
