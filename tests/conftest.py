"""The live tests' lab takes minutes: it is begun before the first test, beside those without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.live_lab.making import Making
from tests.support.lxd_watch import watch_lxd
from tests.support.parts import keep_part, wants_lab


def pytest_configure(config: pytest.Config) -> None:
    """The LXD of ci/test is watched, and started again where it dies of its own."""
    watch_lxd(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whoever needs no lab goes first: it is built meanwhile."""
    keep_part(config, items)
    items.sort(key=wants_lab)


@pytest.fixture(scope="session", autouse=True)
def making(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Making | Exception | None]:
    """What the fixture `lab` waits for; why there is none, for the tests that need one."""
    if not any(wants_lab(item) for item in request.session.items):
        yield None
        return
    try:
        making = Making(tmp_path_factory.mktemp("lab"))
    except Exception as error:  # noqa: BLE001 - unit tests need no LXD
        yield error
        return
    yield making
    making.undo()
