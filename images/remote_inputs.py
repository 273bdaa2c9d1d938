"""What a recipe holds that only the machine knows which the images were built on.

Its apt mirror, its time zone and its distribution go into images where lab.yaml does not name
them. Seen from another machine they are what the server's releases say, so that the same lab has
the same recipes wherever one looks from. What cannot be looked at is taken to be as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from lab.lxd.model import Image
from lab.lxd.port import Lxd
from lab.release import Release, Smoke, stable_alias
from lab.settings.settings import Settings

DISTRIBUTION = "distribution"
MIRROR = "mirror"
SECURITY_MIRROR = "security mirror"
TIMEZONE = "timezone"

_SETTINGS = {
    "mirror": MIRROR,
    "security_mirror": SECURITY_MIRROR,
    "timezone": TIMEZONE,
}


def as_there(settings: Settings, inputs: Mapping[str, str]) -> Settings:
    """SETTINGS of a remote LXD, completed by the INPUTS that its releases were made with. Pure."""
    told = {
        field: inputs[name]
        for field, name in _SETTINGS.items()
        if getattr(settings, field) is None and inputs.get(name)
    }
    if settings.distribution == "auto" and inputs.get(DISTRIBUTION):
        told["distribution"] = inputs[DISTRIBUTION]
    for field, value in told.items():
        try:
            # They are properties of an image: nothing that a setting could not be.
            valid = Settings.model_validate({field: value})
        except ValidationError:
            continue
        settings = settings.model_copy(update={field: getattr(valid, field)})
    return settings


def made_with(lxd: Lxd, prefix: str) -> Mapping[str, str]:
    """The inputs of the current release that everything here was cloned from; else the newest.

    Of one that somebody sent, and nobody promoted, nothing is taken.
    """
    roots = [
        (_is_current(image, prefix, release), image.created_at, release.inputs)
        for image in lxd.images()
        if (release := Release.of(image)) is not None
        and release.parent is None
        and release.smoke is not Smoke.PENDING
        and any(alias.startswith(f"{prefix}/") for alias in image.aliases)
    ]
    roots.sort(key=lambda root: root[:2])
    return roots[-1][2] if roots else {}


def seen(path: Path, remembered: str | None, *, local: bool) -> str:
    """What a recipe says of the file at PATH, where it said REMEMBERED before.

    Size and time, as images are large. LOCAL: it is the file that the images were built from;
    another machine may have a copy, or nothing.
    """
    try:
        stat = path.stat()
    except OSError:
        return remembered or "missing"
    if not local and remembered and remembered.partition(" ")[0] == str(stat.st_size):
        return remembered
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _is_current(image: Image, prefix: str, release: Release) -> bool:
    return stable_alias(prefix, release.template) in image.aliases
