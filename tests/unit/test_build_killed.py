"""Builds that die before any of their changes to LXD: what users have, and what the next run does.

The few that can be killed on a real LXD in time are in tests/live/test_killed_builds.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import labels
from lab.release import Release, Smoke
from tests.support.builders.death import deaths, dies
from tests.support.builders.tiny_builds import PROJECT, STABLE, Checkout, make_checkout, tiny_lab
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture(autouse=True)
def _a_disk_of_an_lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a machine where none is installed."""
    monkeypatch.setenv("LXD_DIR", str(tmp_path))


@pytest.fixture(params=["zstd", "none"])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Checkout:
    """Whose images are packed in their builders, and by LXD."""
    return make_checkout(tmp_path, compression=request.param)


def _words(lxd: FakeLxd) -> str | None:
    """Which of the two contents users get."""
    fingerprint = lxd.aliases().get(STABLE)
    if fingerprint is None:
        return None
    image = lxd.image(fingerprint)
    assert image is not None
    release = Release.of(image)
    assert release is not None
    assert release.smoke is Smoke.PASSED
    return release.inputs["rendered cloud-config"]


def _litter(lxd: FakeLxd) -> list[str]:
    instances = lxd.in_project(PROJECT).instances()
    return [
        *(one.name for one in instances if one.config.get(labels.PHASE) != labels.READY),
        *(one.name for one in instances if one.name not in ("body-tiny", "source-debian-12")),
        *(one.fingerprint for one in lxd.images() if one.properties.get("lab.builder")),
        *(one.fingerprint for one in lxd.images() if not one.aliases),
    ]


@pytest.mark.parametrize("after_release", [False, True])
def test_killed_before_any_change_users_lose_nothing(
    checkout: Checkout, *, after_release: bool
) -> None:
    lab, old = tiny_lab(), None
    if after_release:
        checkout.build(lab)
        old = _words(lab)
        checkout.boot_with("second")
    for lxd in deaths(lab, checkout.build, least=16):
        at_death = _words(lxd)
        checkout.build(lxd)
        now = _words(lxd)
        assert now not in (old, None)
        assert at_death in (old, now), lxd.changes
        assert _litter(lxd) == [], lxd.changes


def test_a_release_that_was_promoted_stays_when_it_is_superseded(checkout: Checkout) -> None:
    """Its builder died right after the promotion, with its mark still on it."""
    lxd = tiny_lab()
    assert dies(lxd, lambda: checkout.build(lxd), when=lambda: STABLE in lxd.aliases())
    marked = lxd.aliases()[STABLE]
    checkout.boot_with("second")
    checkout.build(lxd)
    assert lxd.aliases()[STABLE] != marked
    checkout.build(lxd)
    assert lxd.image(marked) is not None
