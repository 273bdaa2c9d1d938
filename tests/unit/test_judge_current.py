"""What `smoke-images` makes of verdicts: rows, exit, and the property on the release."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from commands.views.checks import rows
from images import smoke as smoke_images
from images.checks.trial import Trial
from images.checks.verdict import Verdict
from images.context import BuildContext, Log, open_context
from images.smoke import Judged
from lab.errors import InputError
from lab.release import Needs, Smoke
from lab.report import Silent
from lab.settings.settings import Settings
from tests.support.builders.releases import Shelf

ROOT = Path(__file__).parents[2]
GOOD = Verdict(name="boots", passed=True)
BAD = Verdict(name="docker runs a container", passed=False, why="exit code 125, expected 0: no")


def _judged(template: str, *verdicts: Verdict) -> Judged:
    return Judged(
        template=template,
        short=template[:4],
        version="20261121.1",
        verdicts=verdicts,
        seconds=12.4,
        log=Path(f"logs/{template}.log"),
    )


def test_a_row_for_each_release() -> None:
    judged = (_judged("base", GOOD), _judged("docker", GOOD, BAD), _judged("gone"))
    assert list(rows(judged)) == [
        ["base", "20261121.1", "1 of 1", "passed", "12", "-"],
        [
            "docker",
            "20261121.1",
            "1 of 2",
            "FAILED",
            "12",
            "docker runs a container: exit code 125, expected 0: no",
        ],
        ["gone", "20261121.1", "0 of 0", "not checked", "12", smoke_images.GONE],
    ]


def test_what_was_skipped_is_neither_passed_nor_failed() -> None:
    skipped = Verdict(
        name="nvidia-smi", passed=False, skipped=True, why="the host has no NVIDIA GPU"
    )
    judged = _judged("base", GOOD, skipped)
    (row,) = rows((judged,))
    assert row[2:4] == ["1 of 2", "passed"]
    assert row[5] == "nvidia-smi (skipped): the host has no NVIDIA GPU"
    assert smoke_images.failure((judged,)) is None
    assert judged.failed == ()


def test_nothing_failed_is_no_error() -> None:
    assert smoke_images.failure((_judged("base", GOOD), _judged("gone"))) is None


def test_one_that_failed_among_two_names_the_way_back() -> None:
    error = smoke_images.failure((_judged("base", GOOD), _judged("docker-nested", GOOD, BAD)))
    assert error is not None
    assert error.exit_code == 5
    assert str(error) == (
        "1 of 2 current releases failed their checks; users still get them.\n"
        "  docker-nested, docker runs a container: exit code 125, expected 0: no\n"
        "Next: Give users the previous release of docker-nested: invoke rollback dock\n"
        "      Read the full log: logs/docker-nested.log"
    )


def test_the_only_one_that_failed() -> None:
    error = smoke_images.failure((_judged("base", BAD),))
    assert str(error).splitlines()[0] == ("base 20261121.1 failed its checks; users still get it.")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def context(shelf: Shelf, tmp_path: Path) -> BuildContext:
    for name in ("images", "cloud-init"):
        (tmp_path / name).symlink_to(ROOT / name)
    settings = Settings(
        distribution="debian-12",
        timezone="Etc/UTC",
        # Its lock is one of the whole host; not that of a build which may be going on.
        build_project="test-judge-current",
    )
    return open_context(tmp_path, settings, shelf.lxd, Silent())


def _smoke(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> list[Trial]:
    tried: list[Trial] = []

    def smoke(_context: BuildContext, trial: Trial, _log: Log) -> Sequence[Verdict]:
        tried.append(trial)
        return verdicts

    monkeypatch.setattr(smoke_images, "smoke", smoke)
    return tried


def test_the_outcome_is_written_on_what_users_get(
    shelf: Shelf, context: BuildContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = Needs(config={"limits.processes": "500"})
    shelf.build("20261121.1", "docker-nested")
    shelf.build("20261121.2", "docker-nested", needs=needs)
    tried = _smoke(monkeypatch, GOOD, BAD)
    (judged,) = smoke_images.judge_current(context)
    assert judged.version == "20261121.2"
    assert shelf.release("20261121.2", "docker-nested").release.smoke is Smoke.FAILED
    assert shelf.release("20261121.1", "docker-nested").release.smoke is Smoke.PASSED
    assert shelf.current("docker-nested") == "20261121.2"
    # As users' containers of that release are, by the checks of the definition.
    assert tried[0].needs == needs
    assert tried[0].checks == context.catalog.checks("docker-nested")
    _smoke(monkeypatch, GOOD)
    smoke_images.judge_current(context)
    assert shelf.release("20261121.2", "docker-nested").release.smoke is Smoke.PASSED


def test_parents_come_first_and_strangers_last(
    shelf: Shelf, context: BuildContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for template in ("docker-nested", "abandoned", "base"):
        shelf.build("20261121.1", template)
    _smoke(monkeypatch, GOOD)
    every = smoke_images.judge_current(context)
    assert [one.template for one in every] == ["base", "docker-nested", "abandoned"]
    assert every[2].verdicts == ()
    (only,) = smoke_images.judge_current(context, ("docker",))
    assert only.template == "docker-nested"


def test_nothing_to_judge_is_never_a_pass(shelf: Shelf, context: BuildContext) -> None:
    with pytest.raises(InputError) as caught:
        smoke_images.judge_current(context)
    assert str(caught.value) == (
        "There is no current release of any template to check.\nNext: Build it: invoke build-images"
    )
    shelf.build("20261121.1", "base")
    with pytest.raises(InputError) as caught:
        smoke_images.judge_current(context, ("base", "docker"))
    assert str(caught.value) == (
        "There is no current release of docker-nested to check.\n"
        "Next: Build it: invoke build-images --only docker-nested"
    )
