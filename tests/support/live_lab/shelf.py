"""A lab with two releases that differ in one package, for tests about which one users get."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from tests.support.live_lab.lab import Said, query, stable
from tests.support.live_lab.tiny import Tiny

PREFIX: Final = "ltvers"
PROJECT: Final = "ltvers-build"
TEMPLATE: Final = "vers"
"""A name of its own: addresses are given by names, one server for all projects."""

_PROBE = """\
write_files:
- path: /root/probe/DEBIAN/control
  content: |
    Package: labstamp-probe
    Version: {version}
    Architecture: all
    Maintainer: the tests
    Description: tells two releases apart
runcmd:
- [dpkg-deb, --build, /root/probe, /root/probe.deb]
- [dpkg, --install, /root/probe.deb]
"""


@dataclass
class Shelf:
    """A lab with two releases of tiny, the second of which is current at first."""

    tiny: Tiny
    versions: list[str] = field(default_factory=list)

    def invoke(self, *arguments: str) -> Said:
        return self.tiny.lab.invoke(*arguments)

    def succeed(self, *arguments: str) -> str:
        """What it prints."""
        return self.tiny.lab.succeed(*arguments).out

    def refused(self, *arguments: str) -> str:
        """What it says when it ends with 2 and leaves images and aliases as they are."""
        before = query("/1.0/images?recursion=1")
        said = self.invoke(*arguments)
        assert (said.code, said.out) == (2, ""), said
        is_managed = f"{PREFIX}/"
        after = query("/1.0/images?recursion=1")
        assert _named(after, is_managed) == _named(before, is_managed)
        # The last of the progress is the error.
        return said.err[said.err.index("error: ") :]

    def build(self, version: str) -> None:
        self.tiny.boot_with(_PROBE.format(version=version))
        self.succeed("build-images")
        (found,) = json.loads(self.succeed("images", "--json"))["templates"]
        self.versions.append(found["versions"][0]["version"])

    def current(self) -> str:
        """The version that users get."""
        return self.properties(stable(f"{PREFIX}/{TEMPLATE}") or "")["lab.version"]

    def properties(self, fingerprint: str) -> dict[str, str]:
        return dict(query(f"/1.0/images/{fingerprint}")["properties"])

    def fingerprint(self, version: str) -> str | None:
        return stable(f"{PREFIX}/{TEMPLATE}/{version}")


def _named(images: list[dict[str, object]], prefix: str) -> list[str]:
    return sorted(
        json.dumps([image["fingerprint"], image["aliases"], image["properties"]])
        for image in images
        if prefix in json.dumps(image["aliases"])
    )
