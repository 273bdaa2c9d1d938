"""The same lab has the same recipes, wherever it is looked at from."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from images.build.targets import targets
from images.context import BuildContext, open_context
from images.remote_inputs import as_there, made_with, seen
from images.templates.lab_files import LabFiles, read_lab_files
from lab.machine.apt_sources import Mirrors
from lab.report import Silent
from lab.settings.settings import Settings
from lab.settings.source import File, FromInstance
from tests.support.builders.releases import Shelf

ROOT = Path(__file__).parents[2]
INPUTS = {
    "distribution": "debian-12",
    "mirror": "https://mirror.example/debian",
    "security mirror": "",
    "timezone": "Asia/Shanghai",
}
REMOTE = Settings(remote="https://lab1.example:8443")


def test_what_the_settings_leave_open_is_as_on_the_server() -> None:
    there = as_there(REMOTE, INPUTS)
    assert (there.distribution, there.mirror, there.security_mirror, there.timezone) == (
        "debian-12",
        "https://mirror.example/debian",
        None,
        "Asia/Shanghai",
    )
    said = REMOTE.model_copy(update={"timezone": "Etc/UTC", "distribution": "debian-13"})
    assert as_there(said, INPUTS).timezone == "Etc/UTC"
    assert as_there(said, INPUTS).distribution == "debian-13"


def test_properties_of_an_image_are_taken_for_no_more_than_settings() -> None:
    odd = {"mirror": "x; rm -rf /", "timezone": "../../etc/passwd", "distribution": "-o"}
    assert as_there(REMOTE, odd) == REMOTE


def _on(zone: str, mirrors: Mirrors) -> Callable[[Path, Settings], LabFiles]:
    """The files of a checkout on a machine in ZONE, whose apt asks MIRRORS."""
    return partial(read_lab_files, host_mirrors=lambda *_: mirrors, host_timezone=lambda: zone)


def _recipes(context: BuildContext) -> dict[str, str]:
    ordered = targets(context, context.catalog.order())
    return {one.definition.name: one.recipes.release.id for one in ordered}


def _settings(**more: object) -> Settings:
    plain = Settings.model_validate({"driver": {"delivery": "none"}})
    return plain.model_copy(update=more)


def test_a_laptop_in_another_place_finds_nothing_stale(tmp_path: Path) -> None:
    shelf, root = Shelf(), tmp_path / "root.tar"
    root.write_bytes(b"a root")
    file = File(kind="file", path=root)
    there = _on("Asia/Shanghai", Mirrors(main="https://mirror.example/debian"))
    settings = _settings(distribution="debian-12", source=file)
    server = open_context(ROOT, settings, shelf.lxd, Silent(), read_files=there)
    before = _recipes(server)
    (base,) = targets(server, [server.catalog.get("base")])
    shelf.build("20261121.1", inputs=base.recipes.release.inputs)

    mirrors = Mirrors(main="https://other.example/ubuntu", security="https://other.example/s")
    laptop = partial(
        open_context,
        root=ROOT,
        lxd=shelf.lxd,
        report=Silent(),
        read_files=_on("Europe/Berlin", mirrors),
    )
    for copy in ("the same elsewhere", None):
        place = tmp_path / "elsewhere.tar"
        place.unlink(missing_ok=True)
        if copy:
            place.write_bytes(root.read_bytes())
            os.utime(place, (1, 1))
        away = _settings(remote=REMOTE.remote, source=File(kind="file", path=place))
        assert _recipes(laptop(settings=away)) == before
    changed = _settings(remote=REMOTE.remote, timezone="Etc/UTC", source=file)
    assert _recipes(laptop(settings=changed)) != before


def test_how_an_image_is_packed_is_no_part_of_its_recipe() -> None:
    shelf = Shelf()
    settings = _settings(distribution="debian-12")
    context = open_context(ROOT, settings, shelf.lxd, Silent())
    for one in targets(context, context.catalog.order()):
        assert not [name for name in one.recipes.release.inputs if "pack" in name]


def test_a_container_that_was_put_right_is_another_source() -> None:
    lxd = Shelf().lxd
    source = FromInstance(kind="instance", name="body")
    settings = _settings(distribution="debian-12", source=source)
    context = open_context(ROOT, settings, lxd, Silent())
    before = _recipes(context)
    assert _recipes(context) == before
    lxd.start("body")
    lxd.stop("body")
    assert _recipes(context) != before


def test_a_source_that_is_gone_is_taken_to_be_as_it_was(tmp_path: Path) -> None:
    gone, size = tmp_path / "gone", "6 1"
    assert seen(gone, None, local=True) == "missing"
    assert seen(gone, size, local=True) == size
    gone.write_bytes(b"123456")
    assert seen(gone, size, local=False) == size
    assert seen(gone, size, local=True) != size
    assert seen(gone, "7 1", local=False).startswith("6 ")


def test_the_current_release_of_the_root_tells() -> None:
    shelf = Shelf()
    assert made_with(shelf.lxd, "lab") == {}
    shelf.build("20261121.1", inputs={"timezone": "Etc/UTC"})
    shelf.build("20261121.2", inputs={"timezone": "Europe/Berlin"}, current=False)
    assert made_with(shelf.lxd, "lab") == {"timezone": "Etc/UTC"}
    assert made_with(shelf.lxd, "another") == {}
