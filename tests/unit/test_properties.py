"""What an image says of itself is read by one model, or told: no traceback, no half of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from images.inventory import document
from images.releases.promotion import previous, rollback
from images.releases.prune import plan_prune
from images.releases.published import published, releases_of, unreadable
from lab.errors import InputError
from lab.lxd.model import Image
from lab.properties import read
from lab.release import Needs, Release, Unreadable, read_release
from tests.support.builders.releases import PREFIX, Shelf, fits
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import EPOCH

A, B = "20261121.1", "20261122.1"
NO_TIME = "is not a time with a time zone such as 2026-11-21T09:00:00+00:00"
DEEP = "[" * 20000


def _properties() -> dict[str, str]:
    shelf = Shelf()
    shelf.build(A, needs=Needs(config={"security.nesting": "true"}, ports={"rdp": 3389}))
    return dict(shelf.release(A).image.properties)


def _needs(**changed: object) -> str:
    return json.dumps({**json.loads(_properties()["lab.needs"]), **changed})


STRANGE = [
    ("lab.built_at", "2026-11-21T09:00:00", NO_TIME),
    ("lab.built_at", "yesterday", NO_TIME),
    ("lab.built_at", "0001-01-01T00:00:00+14:00", NO_TIME),
    ("lab.built_at", "9999-12-31T23:59:59-14:00", NO_TIME),
    ("lab.built_at", "1790000000", NO_TIME),
    ("lab.version", "../../x", "is not a version such as 20261121.1"),
    ("lab.version", "20261121.1\n", "is not a version such as 20261121.1"),
    ("lab.template", "../base", "is not the name of a template"),
    ("lab.short", "Base", "is not the name of a template"),
    ("lab.parent", "a/b", "is not the name of a template"),
    ("lab.distro", "\x1b[2J", "is not printable"),
    ("lab.smoke", "great", "must be 'passed', 'failed', 'skipped' or 'pending'"),
    ("lab.inputs", "[]", "must be a mapping"),
    ("lab.inputs", "{", "Invalid JSON"),
    ("lab.inputs", DEEP, "Invalid JSON"),
    ("lab.inputs", " " * 70000, "is longer than 65536 characters"),
    ("lab.inputs", '{"a": 1}', "must be text"),
    ("lab.needs", "null", "must be a mapping"),
    ("lab.needs", _needs(config=[]), "must be a mapping"),
    ("lab.needs", _needs(config={"limits.cpu": 2}), "must be text"),
    ("lab.needs", _needs(devices={"x": "y"}), "must be a mapping"),
    ("lab.needs", _needs(groups="docker"), "must be a list"),
    ("lab.needs", _needs(groups=["-x"]), "must be one word of letters and digits"),
    ("lab.needs", _needs(ports={"rdp": 1 << 70}), "Input should be"),
    ("lab.needs", _needs(ports={"rdp": True}), "must be a whole number"),
    ("lab.needs", _needs(disk="much"), "must be a size such as 20GiB"),
    ("lab.needs", _needs(delivery="pigeon"), "must be 'image', 'runtime', 'cdi' or 'none'"),
]


@pytest.mark.parametrize(("key", "value", "why"), STRANGE)
def test_a_property_of_another_shape_is_told_by_name(key: str, value: str, why: str) -> None:
    problems = read({**_properties(), key: value})
    assert isinstance(problems, tuple)
    (problem,) = problems
    assert problem.startswith(key)
    assert why in problem
    assert problem.isprintable()
    assert len(problem) < 400


def test_a_property_that_is_missing_is_told() -> None:
    properties = _properties()
    del properties["lab.needs"], properties["lab.version"]
    assert read(properties) == ("lab.version: is missing", "lab.needs: is missing")


def test_what_earlier_versions_did_not_write_is_not_missed() -> None:
    properties = _properties()
    needs = json.loads(properties["lab.needs"])
    del needs["delivery"], properties["lab.gpu"]
    properties["lab.needs"] = json.dumps(needs)
    assert isinstance(_read(properties), Release)


def test_what_later_versions_write_is_not_minded() -> None:
    later = {**_properties(), "lab.later": "x", "lab.needs": _needs(later={})}
    assert _read(later) == _read(_properties())


def _read(properties: dict[str, str]) -> Release | Unreadable | None:
    return read_release(Image(fingerprint="f", properties=properties, created_at=EPOCH))


def test_a_source_in_transit_says_nothing_of_a_release() -> None:
    assert _read({"lab.source": "debian-12", "lab.builder": "vm 1 1"}) is None
    assert _read({"description": "ubuntu"}) is None
    assert isinstance(_read({"lab.promoted_at": "now"}), Unreadable)


@pytest.fixture
def spoiled() -> Shelf:
    """A is current, and its neighbour B is an image that says nonsense."""
    shelf = Shelf()
    shelf.build(A)
    _spoil(shelf.lxd, shelf.build(B, current=False))
    return shelf


def _spoil(lxd: FakeLxd, fingerprint: str) -> None:
    lxd.set_image_properties(
        fingerprint, {"lab.built_at": "2026-11-21T09:00:00", "lab.promoted_at": "2036-01-01"}
    )


def test_an_image_beyond_reading_stops_nobody_and_is_listed(spoiled: Shelf) -> None:
    lxd = spoiled.lxd
    (found,) = unreadable(lxd, PREFIX)
    assert str(found) == f"lab/base/{B} cannot be read: lab.built_at: {NO_TIME}"
    assert spoiled.versions() == [A]
    assert [str(fate).partition(" (")[0] for fate in plan_prune(lxd, PREFIX, 1)] == [
        f"base: keep {A}, it is current"
    ]
    assert previous(releases_of(lxd, PREFIX, "base")) is None
    made = document([], published(lxd, PREFIX), [], [], unreadable(lxd, PREFIX))
    assert [one["name"] for one in made["unreadable"]] == [f"lab/base/{B}"]
    with pytest.raises(InputError, match="no release was current before"):
        rollback(lxd, PREFIX, "base", fits=fits)


def test_what_is_asked_for_by_its_name_says_why_it_is_not_there(spoiled: Shelf) -> None:
    _spoil(spoiled.lxd, spoiled.release(A).image.fingerprint)
    with pytest.raises(InputError) as caught:
        releases_of(spoiled.lxd, PREFIX, "base")
    assert str(caught.value).splitlines() == [
        'There is no release of "base".',
        "  There are releases of: nothing.",
        f"  lab/base/{A} cannot be read: lab.built_at: {NO_TIME}.",
        f"  lab/base/{B} cannot be read: lab.built_at: {NO_TIME}.",
    ]


def test_a_name_that_means_two_templates_is_refused() -> None:
    shelf = Shelf()
    shelf.build(A, "docker-nested")
    shelf.build(A, "dock")
    assert [one.release.template for one in releases_of(shelf.lxd, PREFIX, "dock")] == ["dock"]
    fingerprint = shelf.release(A, "dock").image.fingerprint
    shelf.lxd.set_image_properties(fingerprint, {"lab.template": "other"})
    shelf.lxd.set_alias("lab/other", fingerprint)
    with pytest.raises(InputError) as caught:
        releases_of(shelf.lxd, PREFIX, "dock")
    assert str(caught.value) == (
        '"dock" is short for several templates: docker-nested, other.\n'
        "Next: Type the full name of one of them."
    )


def test_an_image_is_a_lab_s_by_its_own_template_s_name() -> None:
    shelf = Shelf()
    fingerprint = shelf.build(A, "base-x")
    shelf.lxd.set_image_properties(fingerprint, {"lab.template": "base"})
    assert published(shelf.lxd, PREFIX) == ()


def test_a_release_survives_its_own_properties() -> None:
    found = _read(_properties())
    assert isinstance(found, Release)
    assert _read(replace(found, driver="535.1").properties()) == replace(found, driver="535.1")
