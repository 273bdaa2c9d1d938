"""Texts for people that no test of a command covers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from commands.views.images import PHASES, timetable
from commands.views.releases import of_import
from images.build.template_build import Built
from images.releases.importing import Imported
from lab.release import Needs
from tests.unit.test_inventory import RELEASE

NEW = Imported(release=RELEASE, is_new=True)
PROMOTE = (
    "Next, to check it on this machine and give it to users:\n  invoke promote base 20261121.1"
)


def test_a_build_has_a_row_a_phase_and_one_for_all() -> None:
    built = Built(
        template="base",
        version="20261121.1",
        size_bytes=1,
        phases=(("clone", 0.44), ("cloud-init", 31.2)),
    )
    table = list(timetable([built, replace(built, version=None, phases=(("boot", 2),))]))
    assert table == [
        ("base 20261121.1", "clone", "0.4"),
        ("", "cloud-init", "31.2"),
        ("", "in all", "31.6"),
        ("base body", "boot", "2.0"),
        ("", "in all", "2.0"),
    ]
    assert {len(row) for row in table} == {len(PHASES)}


@pytest.mark.parametrize(
    ("imported", "incompatibility", "text"),
    [
        (NEW, None, f"base 20261121.1 is imported; users do not get it yet.\n{PROMOTE}"),
        (
            NEW,
            "it has no driver",
            "base 20261121.1 is imported, but cannot be used on this host: it has no driver.\n"
            "Next, to make one that fits:\n  invoke build-images --only base",
        ),
        (
            replace(NEW, is_new=False),
            "it has no driver",
            "LXD already has base 20261121.1; nothing to do.",
        ),
        (
            replace(NEW, release=replace(RELEASE, needs=Needs(config={"a": "b"}))),
            None,
            "base 20261121.1 is imported; users do not get it yet.\n"
            f"Its containers are given: a=b\n{PROMOTE}",
        ),
    ],
)
def test_what_was_imported(imported: Imported, incompatibility: str | None, text: str) -> None:
    assert of_import(imported, incompatibility) == text
