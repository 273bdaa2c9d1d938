"""Releases in a fake LXD: published from bodies, as a build leaves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from images.releases.packages import packages_property
from images.releases.promotion import promote
from images.releases.promotion_order import next_turn, promoted_property
from images.releases.published import PublishedRelease, published, release_called, releases_of
from lab.lxd.model import Image, InstanceSpec
from lab.release import BUILDER, Needs, Release, Smoke, stable_alias, version_alias
from tests.support.fake_lxd.lxd import FakeLxd

PREFIX = "lab"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)

STANZA = "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {}\n\n"


def fits(release: Release) -> None:
    """As on a host whose driver is that of every release."""


def unjudged(one: PublishedRelease) -> None:
    raise AssertionError(f"{one.name} was judged")


@dataclass
class Shelf:
    """Builds as the pipeline does, an hour after the one before."""

    lxd: FakeLxd = field(default_factory=FakeLxd)
    now: datetime = NOW

    def __post_init__(self) -> None:
        path = Path(__file__)
        origin = self.lxd.import_image(path, None, properties={})
        self.lxd.create(InstanceSpec(name="body", image=origin.fingerprint))

    def build(
        self,
        version: str,
        template: str = "base",
        *,
        smoke: Smoke = Smoke.PASSED,
        builder: str = "",
        current: bool = True,
        packages: dict[str, str] | None = None,
        needs: Needs | None = None,
        inputs: Mapping[str, str] | None = None,
        parent: str | None = None,
    ) -> str:
        """Publish a release, and point the stable alias at it where CURRENT; its fingerprint."""
        self.now += timedelta(hours=1)
        status = "".join(STANZA.format(*pair) for pair in (packages or {}).items())
        self.lxd.write_file("body", "/var/lib/dpkg/status", status.encode())
        release = replace(_RELEASE, template=template, short=template[:4], version=version)
        release = replace(release, smoke=smoke, built_at=self.now, needs=needs or Needs())
        release = replace(release, inputs=inputs or {}, parent=parent)
        properties = {**release.properties(), **packages_property(self.lxd, "body")}
        if builder:
            properties[BUILDER] = builder
        if current:
            properties |= promoted_property(next_turn(self._images(template)))
        image = self.lxd.publish(
            "body",
            aliases=[version_alias(PREFIX, template, version)],
            properties=properties,
            compression="none",
        )
        if current:
            self.lxd.set_alias(stable_alias(PREFIX, template), image.fingerprint)
        return image.fingerprint

    def _images(self, template: str) -> list[Image]:
        every = published(self.lxd, PREFIX)
        return [one.image for one in every if one.release.template == template]

    def promote(self, version: str, template: str = "base") -> str:
        return str(promote(self.lxd, PREFIX, template, version, judge=unjudged, fits=fits))

    def current(self, template: str = "base") -> str:
        """The version that users get."""
        target = self.lxd.aliases()[stable_alias(PREFIX, template)]
        return Release.of(self.lxd.store.images[target].image).version  # type: ignore[union-attr]

    def versions(self, template: str = "base") -> list[str]:
        return [one.release.version for one in releases_of(self.lxd, PREFIX, template)]

    def release(self, version: str, template: str = "base") -> PublishedRelease:
        return release_called(releases_of(self.lxd, PREFIX, template), version)


_RELEASE = Release(
    template="base",
    short="base",
    version="1",
    recipe="0123456789abcdef",
    inputs={},
    parent=None,
    distro="debian-12",
    driver=None,
    built_at=NOW,
    commit="abc",
    pipeline="1",
)
