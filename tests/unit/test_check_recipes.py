"""What recipes say of checks: a change of this makes every release of before stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from images.build.recipe import content
from images.check_kinds.base import BaseCheck
from images.check_kinds.kinds import Check
from images.templates.catalog import load_catalog

CATALOG = load_catalog(Path(__file__).parents[2] / "images" / "definitions")

# Recorded at 1d87e4b, where one model held the fields of every kind. Whoever changes the checks of
# a template writes its new value here; who changes code alone must not have to.
RECORDED = {
    "base": ("sha:e40cc199812e", "sha:03e6c4d253f2"),
    "docker-nested": ("sha:b5c139c726e4", "sha:d79a72c32d8f"),
    "gnome-xrdp": ("sha:9a51aaaecf80", "sha:8136098fff33"),
    "xfce-xrdp": ("sha:578937213ea0", "sha:7a6da53f8b29"),
}


@pytest.mark.parametrize("template", RECORDED)
def test_the_checks_of_a_template_are_hashed_as_ever(template: str) -> None:
    checks = [check.model_dump(mode="json") for check in CATALOG.checks(template)]
    # As in images/build/targets.py: of the whole definition, which holds its own checks, too.
    whole = CATALOG.get(template).model_dump(
        mode="json", exclude={"path", "description", "allow_special"}
    )
    assert (content(checks), content(whole)) == RECORDED[template]


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
