"""Commands about images, killed at any of their changes: they take nothing that is somebody's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from images.releases.compatibility import refuse_incompatible
from images.releases.exporting import export_image
from images.releases.importing import import_image
from images.releases.promotion import promote, rollback
from images.releases.prune import prune_alone
from images.releases.published import release_called, releases_of
from images.smoke_imported import judge_here
from lab.instances.removal import remove_image
from lab.release import BUILDER, Release
from lab.report import Silent
from tests.support.builders.death import DEAD, deaths
from tests.support.builders.driven import NEW
from tests.support.builders.four_gpus import FOUR
from tests.support.builders.people import assert_files_are_there, containers, homes
from tests.support.builders.tiny_builds import PREFIX, STABLE, Checkout
from tests.support.fake_lxd.lxd import FakeLxd

Command = Callable[[FakeLxd], object]


def versions(lxd: FakeLxd) -> list[str]:
    """Those of its releases, the newest first."""
    return [one.release.version for one in releases_of(lxd, PREFIX, "tiny")]


def current(lxd: FakeLxd) -> str:
    image = lxd.image(lxd.aliases()[STABLE])
    release = Release.of(image) if image else None
    assert release is not None
    return release.version


def killed(lab: FakeLxd, command: Command, *, least: int) -> Iterator[FakeLxd]:
    """Copies of LAB in which COMMAND was killed and run again, and nothing of anybody's changed."""
    had = homes(lab), containers(lab)
    assert_files_are_there(lab)
    for lxd in deaths(lab, command, least=least):
        assert (homes(lxd), containers(lxd)) == had
        command(lxd)
        assert (homes(lxd), containers(lxd)) == had
        yield lxd


def test_a_build_for_another_driver(inhabited: FakeLxd, checkout: Checkout) -> None:
    inhabited.host_gpus = tuple(replace(gpu, driver=NEW) for gpu in FOUR)
    for lxd in killed(inhabited, checkout.build, least=20):
        assert len(versions(lxd)) == 5
        assert current(lxd) == versions(lxd)[0]


@pytest.fixture
def file(inhabited: FakeLxd, tmp_path: Path) -> Path:
    """The third release, which LXD does not have any more; called by its version."""
    third = versions(inhabited)[1]
    path = tmp_path / third
    exported = export_image(inhabited, PREFIX, "tiny", path, report=Silent(), version=third)
    remove_image(inhabited, exported.image.fingerprint)
    return path


def test_an_import(inhabited: FakeLxd, file: Path) -> None:
    command = partial(import_image, prefix=PREFIX, source=file, report=Silent())
    for lxd in killed(inhabited, command, least=3):
        imported = release_called(releases_of(lxd, PREFIX, "tiny"), file.name)
        # Else nobody could promote it.
        assert not imported.image.properties[BUILDER]


def test_a_promotion_of_what_was_imported(
    inhabited: FakeLxd, file: Path, checkout: Checkout
) -> None:
    """With its checks: they have instances of their own, with homes of their own."""
    import_image(inhabited, PREFIX, file, report=Silent())

    def command(lxd: FakeLxd) -> None:
        judge = partial(judge_here, checkout.context(lxd))
        fits = partial(refuse_incompatible, lxd, checkout.settings)
        promote(lxd, PREFIX, "tiny", file.name, judge=judge, fits=fits)

    for lxd in killed(inhabited, command, least=20):
        assert current(lxd) == file.name


def test_a_rollback(inhabited: FakeLxd, checkout: Checkout) -> None:
    def command(lxd: FakeLxd) -> None:
        rollback(lxd, PREFIX, "tiny", fits=partial(refuse_incompatible, lxd, checkout.settings))

    *cut_off, twice = [current(lxd) for lxd in killed(inhabited, command, least=2)]
    _, third, second, _ = versions(inhabited)
    assert set(cut_off) == {third}
    assert twice == second


def test_pruning(inhabited: FakeLxd, checkout: Checkout) -> None:
    """Of one that is half made, and of one that nobody needs."""
    command = partial(prune_alone, settings=checkout.settings, keep=1, report=Silent())
    fourth, third, _, first = versions(inhabited)
    half_made = release_called(releases_of(inhabited, PREFIX, "tiny"), third)
    inhabited.set_image_properties(half_made.image.fingerprint, {BUILDER: DEAD})
    for lxd in killed(inhabited, command, least=2):
        assert versions(lxd) == [fourth, first]
