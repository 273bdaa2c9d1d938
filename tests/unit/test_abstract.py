"""An abstract template on a fake LXD: its body is built once for its children, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from commands.views.images import timetable
from images.build.pipeline import build_images, plan_images
from images.build.template_build import Built
from images.context import BuildContext
from images.inventory import images_document
from lab import labels
from lab.errors import CheckError, InputError
from lab.lxd.model import Completed
from lab.release import Release
from lab.report import Silent
from tests.support.builders.death import deaths
from tests.support.builders.four_gpus import FOUR
from tests.support.builders.tiny_builds import (
    PREFIX,
    PROJECT,
    Checkout,
    Machines,
    make_checkout,
    tiny_lab,
)
from tests.support.fake_lxd.lxd import FakeLxd

RELEASED = ["left", "right", "tiny"]


@pytest.fixture(autouse=True)
def _a_disk_of_an_lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a machine where none is installed."""
    monkeypatch.setenv("LXD_DIR", str(tmp_path))


@pytest.fixture(params=["zstd", "none"])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Checkout:
    """Of tiny, of `shared` on top of it, which is abstract, and of two templates on top of that."""
    made = make_checkout(tmp_path, compression=request.param)
    define(made, "shared", "parent: tiny\nabstract: true\n")
    for name in ("left", "right"):
        define(made, name, "parent: shared\n")
    return made


def define(checkout: Checkout, name: str, more: str) -> None:
    text = f"name: {name}\ndescription: x\ncloud-init: {name}.yaml.j2\n{more}"
    (checkout.directory / "definitions" / f"{name}.yaml").write_text(text)
    boot_with(checkout, name, "first")


def boot_with(checkout: Checkout, name: str, words: str) -> None:
    (checkout.directory / "boot" / f"{name}.yaml.j2").write_text(
        f"#cloud-config\nfinal_message: {words}\n"
    )


@dataclass
class Watched:
    """What runs inside the builders; the one called FAILING fails when it packs or cleans."""

    inside: Machines
    failing: str = ""
    packed: list[str] = field(default_factory=list)

    def __call__(self, name: str, argv: list[str], stdin: bytes | None) -> Completed:
        if "/run/labstamp/pack.sh" in argv:
            self.packed.append(name)
        if name == self.failing and "/run/labstamp/clean.sh" in argv:
            return Completed(exit_code=1, stdout="", stderr="no")
        return self.inside(name, argv, stdin)


def lab() -> tuple[FakeLxd, Watched]:
    lxd = tiny_lab()
    watched = Watched(Machines(lxd))
    lxd.on_run = watched  # type: ignore[assignment]
    return lxd, watched


def builders(lxd: FakeLxd, since: int = 0) -> list[str]:
    """Of which a body was made, in order."""
    made = [change.removeprefix("create ") for change in lxd.changes[since:]]
    return [name.removeprefix("builder-") for name in made if name.startswith("builder-")]


def bodies(lxd: FakeLxd) -> list[str]:
    kept = lxd.in_project(PROJECT).instances()
    assert all(one.config[labels.PHASE] == labels.READY for one in kept)
    return sorted(one.name for one in kept if one.name.startswith("body-"))


def released(lxd: FakeLxd) -> list[str]:
    """Of which there are images, by what those say and by their aliases."""
    made = sorted(one.template for image in lxd.images() if (one := Release.of(image)))
    stable = (alias for alias in lxd.aliases() if alias.count("/") == 1)
    assert sorted(alias.removeprefix(f"{PREFIX}/") for alias in stable) == sorted(set(made))
    return made


def test_its_body_is_built_once_and_released_never(checkout: Checkout) -> None:
    lxd, watched = lab()
    checkout.build(lxd)
    first, second, *others = builders(lxd)
    assert (first, second, sorted(others)) == ("tiny", "shared", ["left", "right"])
    assert bodies(lxd) == ["body-left", "body-right", "body-shared", "body-tiny"]
    assert released(lxd) == RELEASED
    # Nothing is packed for nobody.
    assert not [name for name in watched.packed if "shared" in name]
    for name in ("left", "right"):
        release = Release.of(next(one for one in lxd.images() if f"{PREFIX}/{name}" in one.aliases))
        assert release is not None
        assert release.parent == "shared"


def test_a_second_build_has_nothing_to_do(checkout: Checkout) -> None:
    lxd, _ = lab()
    checkout.build(lxd)
    before = len(lxd.changes)
    checkout.build(lxd)
    assert lxd.changes[before:] == []
    assert [str(one) for one in plan_images(fresh(checkout, lxd))[1]][1:2] == [
        "shared: keep its body, nothing changed"
    ]


@pytest.mark.parametrize(
    ("changed", "built"),
    [
        ("left", ["left"]),
        ("shared", ["left", "right", "shared"]),
        ("tiny", ["left", "right", "shared", "tiny"]),
    ],
)
def test_it_is_built_again_with_its_children_alone(
    checkout: Checkout, changed: str, built: list[str]
) -> None:
    lxd, _ = lab()
    checkout.build(lxd)
    before = len(lxd.changes)
    boot_with(checkout, changed, "second")
    build_images(fresh(checkout, lxd))
    assert sorted(builders(lxd, before)) == built
    assert bodies(lxd) == ["body-left", "body-right", "body-shared", "body-tiny"]


def test_a_body_of_it_that_was_started_is_made_again_for_who_needs_it(checkout: Checkout) -> None:
    lxd, _ = lab()
    checkout.build(lxd)
    inside = lxd.in_project(PROJECT)
    inside.start("body-shared")
    inside.stop("body-shared", force=True)
    before = len(lxd.changes)
    build_images(fresh(checkout, lxd))
    assert builders(lxd, before) == []
    boot_with(checkout, "right", "second")
    build_images(fresh(checkout, lxd))
    assert builders(lxd, before) == ["shared", "right"]


def test_the_timetable_has_a_row_for_it(checkout: Checkout) -> None:
    lxd, _ = lab()
    _, built = build_images(fresh(checkout, lxd), jobs=1)
    assert isinstance(built[1], Built)
    assert (built[1].template, built[1].version) == ("shared", None)
    assert "shared body" in [name for name, _, _ in timetable(built)]
    assert "waiting" not in [phase for phase, _ in built[1].phases]


def test_where_it_fails_its_children_are_not_begun(checkout: Checkout) -> None:
    lxd, watched = lab()
    watched.failing = "builder-shared"
    told: dict[str, str] = {}

    class Told(Silent):
        def failed(self, subject: str, text: str) -> None:
            told[subject] = text

    with pytest.raises(CheckError, match=r"clean\.sh failed"):
        build_images(replace(fresh(checkout, lxd), report=Told()))
    assert released(lxd) == ["tiny"]
    assert bodies(lxd) == ["body-tiny"]
    why = "not built: its parent failed"
    assert (told["left"], told["right"]) == (why, why)
    assert told["shared"] != why


def test_nobody_can_ask_for_it(checkout: Checkout) -> None:
    context = fresh(checkout, lab()[0])
    for ask in (plan_images, build_images):
        with pytest.raises(InputError, match="shared is abstract: no image is made from it"):
            ask(context, ["shared"])
    assert [one["name"] for one in images_document(context)["templates"]] == [
        "tiny",
        "left",
        "right",
    ]


def test_no_driver_is_fetched_for_it(checkout: Checkout) -> None:
    """Also where it says that its children's images carry the driver."""
    define(checkout, "shared", "parent: tiny\nabstract: true\ndriver: {delivery: image}\n")
    for name in ("left", "right", "tiny"):
        parent = "" if name == "tiny" else "parent: shared\n"
        define(checkout, name, f"{parent}driver: {{delivery: none}}\n")
    lxd, _ = lab()
    lxd.host_gpus = FOUR
    every, _ = plan_images(fresh(checkout, lxd))
    assert {one.definition.name: one.driver.userland for one in every} == dict.fromkeys(
        ("tiny", "shared", "left", "right")
    )


def test_killed_before_any_change_the_next_run_finishes(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path)
    define(checkout, "shared", "parent: tiny\nabstract: true\n")
    define(checkout, "left", "parent: shared\n")
    names = ["body-left", "body-shared", "body-tiny"]
    ground = tiny_lab()
    build_images(checkout.context(ground), ["tiny"], smoke_test=False)
    for lxd in deaths(ground, lambda one: build_one_by_one(checkout, one), least=25):
        build_one_by_one(checkout, lxd)
        assert bodies(lxd) == names, lxd.changes
        assert set(released(lxd)) == {"left", "tiny"}, lxd.changes
        kept = {one.name for one in lxd.in_project(PROJECT).instances()}
        assert kept == {*names, "source-debian-12"}, lxd.changes


def build_one_by_one(checkout: Checkout, lxd: FakeLxd) -> None:
    build_images(checkout.context(lxd), jobs=1, smoke_test=False)


def fresh(checkout: Checkout, lxd: FakeLxd) -> BuildContext:
    """With the files as they are now."""
    return replace(checkout).context(lxd)
