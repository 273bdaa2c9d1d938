"""No release is for users whose driver does not fit the host."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from images.build.driver import DriverChoice, driver_choices, in_words
from images.context import BuildContext, open_context
from images.releases.compatibility import incompatibility, refuse_incompatible
from images.releases.promotion import promote, rollback
from lab.driver.delivery import Delivery
from lab.errors import InputError
from lab.host_gpus import HostGpus
from lab.lxd.model import Server
from lab.release import Needs, Release
from lab.report import Silent
from lab.settings.driver import DriverSettings
from lab.settings.settings import Settings
from tests.support.builders.four_gpus import FOUR
from tests.support.builders.releases import PREFIX, Shelf, unjudged
from tests.support.fake_lxd.lxd import FakeLxd
from tests.unit.test_inventory import RELEASE

ROOT = Path(__file__).parents[2]
OLD, NEW = "535.261.03", "550.163.01"


def settings(**driver: object) -> Settings:
    return Settings(driver=DriverSettings(**driver))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inside", "host", "delivery", "reason"),
    [
        (OLD, OLD, Delivery.IMAGE, None),
        (OLD, None, Delivery.NONE, None),
        (None, OLD, Delivery.RUNTIME, None),
        (None, OLD, Delivery.NONE, None),
        (OLD, NEW, Delivery.IMAGE, f"it has driver {OLD}, and this host's kernel module is {NEW}"),
        (
            OLD,
            NEW,
            Delivery.RUNTIME,
            f"it has driver {OLD}, and this host's kernel module is {NEW}",
        ),
        (
            None,
            NEW,
            Delivery.IMAGE,
            f"it has no driver, and LXD does not mount this host's driver {NEW} either",
        ),
    ],
)
def test_what_does_not_fit_has_a_reason(
    inside: str | None, host: str | None, delivery: Delivery, reason: str | None
) -> None:
    server = replace(FakeLxd().server(), api_extensions=frozenset({"nvidia_runtime"}))
    here = HostGpus(gpus=FOUR, driver=host, server=server, settings=settings(delivery=delivery))
    assert here.incompatibility(replace(RELEASE, driver=inside)) == reason


def test_neither_promote_nor_rollback_moves_to_a_misfit() -> None:
    shelf = Shelf()
    lxd = shelf.lxd
    lxd.host_gpus = FOUR
    for version in ("20261121.1", "20261122.1"):
        shelf.build(version)
    here = partial(refuse_incompatible, lxd, settings(delivery="image"))
    with pytest.raises(InputError) as caught:
        rollback(lxd, PREFIX, "base", fits=here)
    assert str(caught.value) == (
        "base 20261121.1 cannot be used on this host: it has no driver, and LXD does not mount "
        f"this host's driver {OLD} either.\n"
        "Next: Make one that fits: invoke build-images --only base"
    )
    with pytest.raises(InputError):
        promote(lxd, PREFIX, "base", "20261121.1", judge=unjudged, fits=here)
    assert shelf.current() == "20261122.1"
    promote(
        lxd,
        PREFIX,
        "base",
        "20261121.1",
        judge=unjudged,
        fits=partial(refuse_incompatible, lxd, settings(delivery="none")),
    )
    assert shelf.current() == "20261121.1"


def test_a_template_that_does_without_fits_any_host() -> None:
    lxd = FakeLxd()
    lxd.host_gpus = FOUR
    alone = replace(RELEASE, needs=Needs(delivery=Delivery.NONE))
    assert incompatibility(lxd, settings(delivery="image"), alone) is None
    assert incompatibility(lxd, settings(delivery="image"), RELEASE) is not None


def test_a_release_remembers_how_its_template_wants_the_driver() -> None:
    lxd = FakeLxd()
    release = replace(RELEASE, needs=Needs(delivery=Delivery.CDI), driver=OLD)
    image = lxd.import_image(Path(__file__), None, properties=release.properties())
    assert Release.of(image) == release


def context(lxd: FakeLxd, settings: Settings) -> BuildContext:
    written = settings.model_copy(update={"distribution": "debian-12", "timezone": "Etc/UTC"})
    return open_context(ROOT, written, lxd, Silent())


def made(lxd: FakeLxd, **driver: object) -> DriverChoice:
    return driver_choices(context(lxd, settings(**driver)), ["base"])["base"]


def test_a_layer_is_of_the_hosts_version_and_says_why() -> None:
    lxd = FakeLxd()
    assert str(made(lxd)) == "no driver inside: the host has no NVIDIA GPU"
    lxd.host_gpus = FOUR
    lxd.store.server = Server(version="5.0", api_extensions=frozenset(), name="lab")
    choice = made(lxd)
    assert str(choice) == f"driver {OLD} by image: LXD has neither gpu_cdi nor nvidia_runtime"
    assert (choice.version, choice.inputs()["driver"]) == (OLD, OLD)
    assert made(lxd, delivery="none").inputs() == {}
    assert in_words({"base": choice, "docker-nested": choice}) == (str(choice),)
    other = DriverChoice(chosen=choice.chosen)
    assert in_words({"a": choice, "b": other}) == (f"a: {choice}", f"b: {other}")


def test_no_other_version_than_the_hosts_is_built() -> None:
    lxd = FakeLxd()
    assert made(lxd, delivery="image", version=NEW).version == NEW
    with pytest.raises(InputError, match="has no NVIDIA kernel module loaded"):
        made(lxd, delivery="image")
    lxd.host_gpus = FOUR
    assert made(lxd, delivery="image", version=OLD).version == OLD
    with pytest.raises(InputError) as caught:
        made(lxd, delivery="image", version=NEW)
    assert str(caught.value).splitlines()[-1] == (
        "Next: Remove `driver: {version: …}` from lab.yaml, or update the host's driver and "
        "reboot first."
    )
