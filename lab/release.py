"""A release as the properties of its image: all that stamping needs to know of it.

The images wing writes these, the provision wing reads them; that is how the two meet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from lab.delivery import Delivery, choose
from lab.lxd.model import Card, Image, Server
from lab.settings import Settings

_PREFIX = "lab."
_PROMOTED_AT = _PREFIX + "promoted_at"
PACKAGES = _PREFIX + "packages"
"""Property of releases: what is installed, packed by images.packages."""
ACCOUNTS = _PREFIX + "accounts"
"""Property of releases: the names of the image's accounts and groups, with blanks between."""


class Smoke(str, Enum):
    """What the checks of a release said. PENDING: not (or not to the end) run."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a container of a template needs beside its image."""

    config: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    """Groups inside that the account joins."""
    disk: str | None = None
    """Default root quota, as written: `20GiB`."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Services to tell the user of, by name: `rdp` → 3389."""
    delivery: Delivery | None = None
    """How it wants the driver's userland, where it does not leave that to the lab."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    template: str
    short: str
    version: str
    recipe: str
    inputs: Mapping[str, str]
    """Input → short hash: why a later recipe differs."""
    parent: str | None
    distro: str
    driver: str | None
    built_at: datetime
    commit: str
    pipeline: str
    smoke: Smoke = Smoke.PENDING
    gpu: Smoke = Smoke.PENDING
    """What nvidia-smi said in it; SKIPPED where there was nothing to ask it of."""
    needs: Needs = field(default_factory=Needs)

    def properties(self) -> dict[str, str]:
        """As image properties; `Release.of` reads them back."""
        needs = {
            "config": dict(self.needs.config),
            "devices": {name: dict(device) for name, device in self.needs.devices.items()},
            "groups": list(self.needs.groups),
            "disk": self.needs.disk,
            "ports": dict(self.needs.ports),
            "delivery": self.needs.delivery.value if self.needs.delivery else None,
        }
        own = {
            "template": self.template,
            "short": self.short,
            "version": self.version,
            "recipe": self.recipe,
            "inputs": _compact(self.inputs),
            "parent": self.parent or "",
            "distro": self.distro,
            "driver": self.driver or "",
            "built_at": self.built_at.isoformat(timespec="seconds"),
            "commit": self.commit,
            "pipeline": self.pipeline,
            "smoke": self.smoke.value,
            "gpu": self.gpu.value,
            "needs": _compact(needs),
        }
        # `description` is what `lxc image list` shows.
        return {
            "description": f"labstamp {self.template} {self.version} ({self.distro})",
            **{_PREFIX + key: value for key, value in own.items()},
        }

    @classmethod
    def of(cls, image: Image) -> Release | None:
        """None for an image that is no release of labstamp, or is one beyond reading."""
        own = {
            key.removeprefix(_PREFIX): value
            for key, value in image.properties.items()
            if key.startswith(_PREFIX)
        }
        try:
            needs = json.loads(own["needs"])
            return cls(
                template=own["template"],
                short=own["short"],
                version=own["version"],
                recipe=own["recipe"],
                inputs=json.loads(own["inputs"]),
                # LXD drops properties that are empty.
                parent=own.get("parent") or None,
                distro=own["distro"],
                driver=own.get("driver") or None,
                built_at=datetime.fromisoformat(own["built_at"]),
                commit=own["commit"],
                pipeline=own["pipeline"],
                smoke=Smoke(own["smoke"]),
                # Releases from before driver layers have neither this nor a delivery.
                gpu=Smoke(own.get("gpu", Smoke.SKIPPED.value)),
                needs=Needs(
                    config=needs["config"],
                    devices=needs["devices"],
                    groups=tuple(needs["groups"]),
                    disk=needs["disk"],
                    ports=needs["ports"],
                    delivery=Delivery(needs["delivery"]) if needs.get("delivery") else None,
                ),
            )
        except (KeyError, ValueError, TypeError):
            return None


def smoke_property(outcome: Smoke, gpu: Smoke | None = None) -> dict[str, str]:
    """The property that records OUTCOME on a published release; with GPU, nvidia-smi's part too."""
    told = {} if gpu is None else {_PREFIX + "gpu": gpu.value}
    return {_PREFIX + "smoke": outcome.value, **told}


def promoted_property(when: datetime | None) -> dict[str, str]:
    """The property that records when a release became current; None: as if it never had."""
    return {_PROMOTED_AT: when.isoformat() if when else ""}


def promoted_at(image: Image) -> datetime | None:
    """When IMAGE became current the last time; None where it never was, or is not to count."""
    try:
        return datetime.fromisoformat(image.properties.get(_PROMOTED_AT, ""))
    except ValueError:
        return None


def accounts_of(image: Image) -> frozenset[str]:
    """The names that are taken in IMAGE; none of a release from before they were stored."""
    return frozenset(image.properties.get(ACCOUNTS, "").split())


def delivery_of(
    release: Release, settings: Settings, server: Server, cards: Sequence[Card]
) -> Delivery:
    """How containers of RELEASE get their userland."""
    # What is inside already counts first: nothing is injected over it.
    if release.driver is not None:
        return Delivery.IMAGE
    return choose(settings, server, cards, template=release.needs.delivery).delivery


def stable_alias(prefix: str, template: str) -> str:
    """`lab/docker-nested`: moves from release to release."""
    return f"{prefix}/{template}"


def version_alias(prefix: str, template: str, version: str) -> str:
    """`lab/docker-nested/20261121.1`: never moves."""
    return f"{prefix}/{template}/{version}"


def next_version(taken: Iterable[str], today: datetime) -> str:
    """`YYYYMMDD.N`, one above the day's highest in TAKEN: a number is never given twice."""
    day = f"{today:%Y%m%d}."
    numbers = [version.removeprefix(day) for version in taken if version.startswith(day)]
    return f"{day}{max((int(number) for number in numbers if number.isdecimal()), default=0) + 1}"


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
