"""What recipes say of checks: a change of this makes every release of before stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from images.build.recipe import content
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
