"""What recipes say of checks: a change of this makes every release of before stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from images.build.recipe import content
from images.build.targets import targets
from images.check_kinds.base import BaseCheck
from images.check_kinds.kinds import Check
from images.context import open_context
from images.templates.catalog import load_catalog
from lab.report import Silent
from lab.settings.settings import Settings
from tests.support.fake_lxd.lxd import FakeLxd

ROOT = Path(__file__).parents[2]
CATALOG = load_catalog(ROOT / "images" / "definitions")

# Recorded at 1d87e4b, where one model held the fields of every kind. Whoever changes the checks of
# a template writes its new value here; who changes code alone must not have to.
RECORDED = {
    "base": ("sha:e40cc199812e", "sha:03e6c4d253f2"),
    "docker-nested": ("sha:b5c139c726e4", "sha:d79a72c32d8f"),
    "gnome-xrdp": ("sha:f54f3bce05d9", "sha:bf833fb96c0f"),
    "xfce-xrdp": ("sha:b49a24a76665", "sha:63556348f624"),
}


@pytest.mark.parametrize("template", RECORDED)
def test_the_checks_of_a_template_are_hashed_as_ever(template: str) -> None:
    checks = [check.model_dump(mode="json") for check in CATALOG.checks(template)]
    # As in images/build/targets.py: of the whole definition, which holds its own checks, too.
    whole = CATALOG.get(template).model_dump(
        mode="json", exclude={"path", "description", "abstract", "allow_special"}
    )
    assert (content(checks), content(whole)) == RECORDED[template]


def test_a_release_s_recipe_has_just_these() -> None:
    settings = Settings.model_validate(
        {"distribution": "debian-12", "driver": {"delivery": "none"}}
    )
    context = open_context(ROOT, settings, FakeLxd(), Silent())
    found = targets(context, context.catalog.released())
    inputs = {one.definition.name: one.recipes.release.inputs for one in found}
    assert {
        name: (inputs[name]["checks"], inputs[name][f"images/definitions/{name}.yaml"])
        for name in RECORDED
    } == RECORDED


NEEDED: dict[str, dict[str, Any]] = {"command": {"run": ["x"]}, "port": {"port": 80, "stdout": "x"}}


@pytest.mark.parametrize(
    "kind",
    [
        *("boots", "cloud-init", "address", "dns", "ssh", "identity", "timezone", "apt"),
        *("leftovers", "lint", "reboot", "rdp", "port", "gpu", "command"),
    ],
)
def test_a_check_says_what_it_said_when_every_kind_had_the_same_keys(kind: str) -> None:
    written = {"name": "it", "kind": kind, **NEEDED.get(kind, {})}
    check: BaseCheck = TypeAdapter(Check).validate_json(json.dumps(written))
    every = {"run": [], "exit": 0, "stdout": None, "skip": None, "port": None, "timeout": 60}
    assert check.model_dump(mode="json") == {**every, **written}
