"""What the hook's unit runs: builds and syncs where something drifts, and is quick elsewhere."""

from __future__ import annotations

import pytest

from commands.host_units import follow_driver
from host.check.drift import Version, Versions
from lab.errors import CheckError, InputError, LabError

OLD = Version(name="base", driver="535.261.03")
ANN = Version(name="ann", driver="535.261.03")


class Day:
    """What drifts when the machine came up, what is done about it, and what goes wrong."""

    def __init__(self) -> None:
        self.versions = Versions(host="550.163.01")
        self.done: list[str] = []
        self.broken: dict[str, LabError] = {}
        self.told = ""

    def run(self) -> int:
        """The exit code."""
        try:
            follow_driver(self.versions, build=self._build, sync=lambda: self._do("sync"))
        except LabError as error:
            self.told = str(error)
            return error.exit_code
        return 0

    def _build(self, *templates: str) -> None:
        self._do(f"build {','.join(templates)}")

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what in self.broken:
            raise self.broken[what]


@pytest.fixture
def day() -> Day:
    return Day()


def test_nothing_is_done_where_nothing_drifts(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    assert day.run() == 0
    assert day.done == []
    assert (
        capsys.readouterr().out
        == "Every release and container fits driver 550.163.01; nothing to do.\n"
    )


def test_host_without_a_module_has_nothing_to_follow(
    day: Day, capsys: pytest.CaptureFixture[str]
) -> None:
    day.versions = Versions(host=None, releases=(OLD,))
    assert day.run() == 0
    assert day.done == []
    assert "nothing to do" in capsys.readouterr().out


def test_releases_come_first_then_containers(day: Day) -> None:
    day.versions = Versions(host="550.163.01", releases=(OLD,), containers=(ANN,))
    assert day.run() == 0
    assert day.done == ["build base", "sync"]


def test_only_what_drifts_is_worked_on(day: Day) -> None:
    day.versions = Versions(host="550.163.01", restarts=(ANN,))
    assert day.run() == 0
    assert day.done == ["sync"]


def test_people_are_served_although_a_release_failed(day: Day) -> None:
    day.versions = Versions(host="550.163.01", releases=(OLD,), containers=(ANN,))
    day.broken["build base"] = InputError("550.163.01 is not to be had.")
    assert day.run() == 2
    assert day.done == ["build base", "sync"]
    day.broken["sync"] = CheckError("ann could not be brought to it.")
    assert day.run() == 5
    assert "550.163.01 is not to be had." in day.told
    assert "ann could not be brought to it." in day.told
