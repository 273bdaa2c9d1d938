"""A release as the properties of its image: all that stamping needs to know of it.

images/ writes these, provision/ reads them; that is how the two meet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from lab.driver.delivery import Delivery
from lab.lxd.model import Image
from lab.properties import PREFIX, Said, read

BUILDER = PREFIX + "builder"
"""Property of images that are not finished: who makes them. Empty afterwards."""
IMPORTED = PREFIX + "source"
"""Property of images that are a source in transit; they live for seconds."""
_IN_TRANSIT = frozenset({BUILDER, IMPORTED})
PACKAGES = PREFIX + "packages"
"""Property of releases: what is installed, packed by images.packages."""
ACCOUNTS = PREFIX + "accounts"
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
            **{PREFIX + key: value for key, value in own.items()},
        }

    @staticmethod
    def keys() -> frozenset[str]:
        """The properties that say what a release is, and not what its checks said of it."""
        return frozenset(PREFIX + name for name in Said.model_fields.keys() - {"smoke", "gpu"})

    @classmethod
    def of(cls, image: Image) -> Release | None:
        """None for an image that is not a labstamp release, or one that cannot be read."""
        found = read_release(image)
        return found if isinstance(found, Release) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An image that says it is a release, and PROBLEMS: a line for each property it is none by."""

    image: Image
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        """`lab/base/20261121.1`, else the beginning of its fingerprint."""
        return max(self.image.aliases, key=len, default=self.image.fingerprint[:12])

    @property
    def way_out(self) -> str:
        return f"lxc image delete {self.image.fingerprint[:12]}"

    def __str__(self) -> str:
        return f"{self.name} cannot be read: {'; '.join(self.problems)}"


def read_release(image: Image) -> Release | Unreadable | None:
    """None for an image that neither is nor claims to be a labstamp release."""
    if not any(key.startswith(PREFIX) and key not in _IN_TRANSIT for key in image.properties):
        return None
    said = read(image.properties)
    if not isinstance(said, Said):
        return Unreadable(image=image, problems=said)
    needs = said.needs
    return Release(
        template=said.template,
        short=said.short,
        version=said.version,
        recipe=said.recipe,
        inputs=said.inputs,
        parent=said.parent,
        distro=said.distro,
        driver=said.driver,
        built_at=said.built_at,
        commit=said.commit,
        pipeline=said.pipeline,
        smoke=Smoke(said.smoke),
        gpu=Smoke(said.gpu),
        needs=Needs(
            config=needs.config,
            devices=needs.devices,
            groups=needs.groups,
            disk=needs.disk,
            ports=needs.ports,
            delivery=needs.delivery,
        ),
    )


def smoke_property(outcome: Smoke, gpu: Smoke | None = None) -> dict[str, str]:
    """The property that records OUTCOME on a published release; with GPU, nvidia-smi's part too."""
    told = {} if gpu is None else {PREFIX + "gpu": gpu.value}
    return {PREFIX + "smoke": outcome.value, **told}


def accounts_of(image: Image) -> frozenset[str]:
    """The names that are taken in IMAGE; none of a release from before they were stored."""
    return frozenset(image.properties.get(ACCOUNTS, "").split())


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
