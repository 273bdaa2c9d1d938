"""The release that a container is made from: offered, fit for use, or named as lacking."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.release import Needs
from tests.support.builders.stamping import (
    BASE,
    DOCKER,
    a_lab,
    bob,
    publish,
    refusal,
    release,
    stamp,
)
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture
def lxd() -> FakeLxd:
    return a_lab()


def test_a_newer_release_is_no_difference(lxd: FakeLxd) -> None:
    stamp(lxd, bob())
    publish(lxd, replace(BASE, version="20261122.1", needs=DOCKER.needs))
    assert stamp(lxd, bob()).actions == ()


def test_a_release_that_asks_for_too_much_is_given_to_nobody(lxd: FakeLxd) -> None:
    """Nothing is made. A container that was made before stays as it is."""
    stamp(lxd, bob())
    asking = Needs(config={"security.idmap.base": "0"}, devices={"a": {"type": "proxy"}})
    publish(lxd, replace(BASE, version="20261122.1", needs=asking))
    assert stamp(lxd, bob()).actions == ()
    before = list(lxd.changes)
    assert refusal(lxd, name="ann").startswith(
        "base 20261122.1, in its property lab.needs, requests settings or devices that "
        "containers may not have.\n"
        "  security.idmap.base: labstamp decides which ids a container has\n"
        "  device a: it would reach the server's own sockets and ports\n"
    )
    assert lxd.changes == before


def test_what_has_an_offer_s_name_and_cannot_be_read_is_told(lxd: FakeLxd) -> None:
    fingerprint = lxd.aliases()["lab/base"]
    lxd.set_image_properties(fingerprint, {"lab.needs": "[]"})
    assert "lab/base cannot be read: lab.needs: must be a mapping (key: value)\n" in refusal(lxd)


def test_a_container_outlives_the_last_release_of_its_template(lxd: FakeLxd) -> None:
    stamp(lxd, bob())
    lxd.store.aliases.clear()
    assert stamp(lxd, bob()).actions == ()


def test_an_unknown_template(lxd: FakeLxd) -> None:
    assert refusal(lxd, template="dokcer") == (
        'There is no release of a template "dokcer".\n'
        "  Templates with a release: base, docker-nested (docker)\n"
        'Next: Did you mean "docker"? Then: invoke provision bob --template docker'
    )
    lxd.store.aliases.clear()
    assert refusal(lxd, template="base") == (
        'There is no release of a template "base".\n'
        "  Templates with a release: none yet\n"
        "Next: Build it, if it is defined but has no release yet: invoke build-images"
    )


def test_a_template_without_releases_names_what_is_made_on_top_of_it(lxd: FakeLxd) -> None:
    for name, short in (("gnome-xrdp", "gnome"), ("xfce-xrdp", "xfce")):
        publish(lxd, replace(release(name, short, BASE.needs), parent="desktop"))
    assert refusal(lxd, template="desktop") == (
        'There is no release of a template "desktop".\n'
        "  Templates with a release: base, docker-nested (docker), gnome-xrdp (gnome), xfce-xrdp "
        "(xfce)\n"
        "Next: Use a template that is based on it: gnome, xfce. Then: invoke provision bob "
        "--template gnome"
    )


def test_only_promoted_images_of_ours_are_releases(lxd: FakeLxd) -> None:
    other = release("other", "other", BASE.needs)
    publish(lxd, other)
    lxd.store.aliases["lab/other/20261121.1"] = lxd.store.aliases.pop("lab/other")
    assert "Templates with a release: base, docker-nested (docker)\n" in refusal(
        lxd, template="other"
    )
