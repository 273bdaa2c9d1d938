"""A mirror behind a certificate authority of the lab's own."""

from __future__ import annotations

import shutil

import pytest

from lab.machine.apt_sources import host_mirrors
from lab.machine.host import os_release
from tests.support.live_lab.https_mirror import https_mirror
from tests.support.live_lab.lab import ROOT
from tests.support.live_lab.tiny import Tiny, litter

pytestmark = pytest.mark.plain


def test_a_mirror_with_a_certificate_of_the_lab_s_own(
    tiny: Tiny, source: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    for template in (ROOT / "cloud-init").glob("*.j2"):
        shutil.copy(template, tiny.directory / "cloud-init")
    apt = ["apt-get", "update", "-o", "APT::Update::Error-Mode=any"]
    tiny.define(
        **{"cloud-init": "base.yaml.j2"},
        options={"build-essential": False},
        packages=["hello"],
        checks=[
            {"name": "cloud-init", "kind": "cloud-init"},
            # As a user would, in a fresh instance of the release.
            {"name": "apt", "kind": "command", "run": apt, "stdout": "^Fetched ", "timeout": 120},
        ],
    )
    host = os_release()
    known = host_mirrors(host["ID"], host["VERSION_CODENAME"])
    with https_mirror(tmp_path_factory.mktemp("https"), known) as mirror:
        there: dict[str, object] = {
            "source": source,
            "mirror": mirror.mirrors.main,
            "security-mirror": mirror.mirrors.security,
        }
        tiny.set(**there)
        said = tiny.lab.invoke("build-images")
        first, why, fix = said.err.partition("error: ")[2].splitlines()
        assert (said.code, first, fix) == (
            2,
            "tiny: the builder does not trust the certificate of the apt mirror.",
            "Next: Name the authority that signed it: `ca-certificates: [FILE]` in lab.yaml.",
        )
        assert "The certificate issuer is unknown." in why
        tiny.set(**there, **{"ca-certificates": [str(mirror.authority)]})
        tiny.lab.succeed("build-images")
        assert any("/hello_" in path for path in mirror.asked)
    assert litter() == []
