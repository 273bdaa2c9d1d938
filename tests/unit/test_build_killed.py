"""Builds that die before any of their changes to LXD: what users have, and what the next run does.

The few that can be killed on a real LXD in time are in tests/live/test_killed_builds.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from images.build.packing import PACKED
from images.build.pipeline import build_images
from images.context import open_context
from lab import labels
from lab.lxd.model import Completed
from lab.release import Release, Smoke
from lab.report import Silent
from lab.settings.settings import Settings
from lab.settings.source import FromInstance
from tests.fake_lxd import FakeLxd
from tests.fake_store import FakeCalls, FakeFile, FakeInstance

ROOT = Path(__file__).resolve().parents[2]
STABLE = "kill/tiny"


class Killed(BaseException):
    """As SIGKILL: nothing that a process would do on its way out reaches LXD."""


class Death:
    """Lets a number of changes through, and none after that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        original = FakeCalls._do

        def do(calls: FakeCalls, verb: str, subject: str) -> None:
            if self.left is not None:
                if self.left == 0:
                    raise Killed
                self.left -= 1
            original(calls, verb, subject)

        monkeypatch.setattr(FakeCalls, "_do", do)
        # The dead builder is this very process.
        monkeypatch.setattr("images.releases.unfinished.is_alive", lambda _: False)


@pytest.fixture
def death(monkeypatch: pytest.MonkeyPatch) -> Death:
    return Death(monkeypatch)


@pytest.fixture(autouse=True)
def _a_disk_of_an_lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a machine where none is installed."""
    monkeypatch.setenv("LXD_DIR", str(tmp_path))


@pytest.fixture(params=["zstd", "none"])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Whose images are packed in their builders, and by LXD."""
    (tmp_path / "compression").write_text(request.param)
    for name in ("images", "cloud-init"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "tiny.yaml").write_text(
        "name: tiny\ndescription: x\ncloud-init: tiny.yaml.j2\n"
    )
    (tmp_path / "boot").mkdir()
    _write(tmp_path, "first")
    return tmp_path


def _write(checkout: Path, words: str) -> None:
    (checkout / "boot" / "tiny.yaml.j2").write_text(f"#cloud-config\nfinal_message: {words}\n")


def _lxd() -> FakeLxd:
    lxd = FakeLxd()

    def answer(name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
        if argv[-2:] == ["/run/labstamp/pack.sh", "release"]:
            files = lxd.store.instances["kill-build", name].files
            for piece in PACKED:
                files[piece] = FakeFile(content=f"{piece} {lxd.store.next()}".encode())
        return _answer(name, argv, stdin)

    lxd.on_run = answer
    lxd.store.instances["default", "by-hand"] = FakeInstance(profiles=("default",))
    return lxd


def _answer(name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
    finished = json.dumps({"v1": {"errors": []}})
    said = f"{finished}\n0\n" if "result.json" in " ".join(argv) else ""
    said = "[]" if "/run/labstamp/look.py" in argv else said
    return Completed(exit_code=0, stdout=said, stderr="")


@cache
def _settings(checkout: Path) -> Settings:
    settings = Settings(
        alias_prefix="kill",
        build_project="kill-build",
        distribution="debian-12",
        definitions=checkout / "definitions",
        cloud_init=checkout / "boot",
        source=FromInstance(kind="instance", name="by-hand"),
        timezone="Etc/UTC",
    )
    return settings.model_copy(update={"compression": (checkout / "compression").read_text()})


def _build(checkout: Path, lxd: FakeLxd) -> None:
    build_images(open_context(checkout, _settings(checkout), lxd, Silent()))


def _words(lxd: FakeLxd) -> str | None:
    """Which of the two contents users get."""
    fingerprint = lxd.aliases().get(STABLE)
    if fingerprint is None:
        return None
    image = lxd.image(fingerprint)
    assert image is not None
    release = Release.of(image)
    assert release is not None
    assert release.smoke is Smoke.PASSED
    return release.inputs["rendered cloud-config"]


def _litter(lxd: FakeLxd) -> list[str]:
    instances = lxd.in_project("kill-build").instances()
    return [
        *(one.name for one in instances if one.config.get(labels.PHASE) != labels.READY),
        *(one.name for one in instances if one.name not in ("body-tiny", "source-debian-12")),
        *(one.fingerprint for one in lxd.images() if one.properties.get("lab.builder")),
        *(one.fingerprint for one in lxd.images() if not one.aliases),
    ]


def _changes_of_a_build(checkout: Path, *, after_release: bool) -> int:
    lxd = _lxd()
    if after_release:
        _build(checkout, lxd)
        _write(checkout, "second")
    before = len(lxd.changes)
    _build(checkout, lxd)
    _write(checkout, "first")
    return len(lxd.changes) - before


@pytest.mark.parametrize("after_release", [False, True])
def test_killed_before_any_change_users_lose_nothing(
    checkout: Path, death: Death, *, after_release: bool
) -> None:
    count = _changes_of_a_build(checkout, after_release=after_release)
    assert count > 15
    for survived in range(count):
        lxd = _lxd()
        old = None
        if after_release:
            _write(checkout, "first")
            _build(checkout, lxd)
            old = _words(lxd)
            _write(checkout, "second")
        death.left = survived
        with pytest.raises(Killed):
            _build(checkout, lxd)
        death.left = None
        at_death = _words(lxd)
        _build(checkout, lxd)
        now = _words(lxd)
        assert now is not None
        assert now != old
        assert at_death in (old, now), lxd.changes
        assert _litter(lxd) == [], (survived, lxd.changes)


def test_a_release_that_was_promoted_stays_when_it_is_superseded(
    checkout: Path, death: Death
) -> None:
    """Its builder died right after the promotion, with its mark still on it."""
    lxd = _lxd()
    death.left = _changes_of_a_build(checkout, after_release=False) - 1
    while STABLE not in lxd.aliases():
        with pytest.raises(Killed):
            _build(checkout, lxd)
    marked = lxd.aliases()[STABLE]
    death.left = None
    _write(checkout, "second")
    _build(checkout, lxd)
    assert lxd.aliases()[STABLE] != marked
    _build(checkout, lxd)
    assert lxd.image(marked) is not None
