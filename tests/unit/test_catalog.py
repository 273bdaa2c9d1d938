"""The catalog of definitions: order, what children inherit, abstract templates."""

from pathlib import Path

import pytest

from images.templates.catalog import Catalog
from lab.driver.delivery import Delivery
from lab.errors import InputError
from lab.release import Needs
from tests.support.builders.definitions import BASE, DefinitionFiles


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DefinitionFiles:
    monkeypatch.chdir(tmp_path)
    return DefinitionFiles(tmp_path)


@pytest.fixture
def family(lab: DefinitionFiles) -> Catalog:
    lab.write("base", BASE + "disk: 20GiB\nchecks: [{name: up, kind: boots}]\n")
    lab.child(
        "docker-nested",
        "short: docker\ngroups: [docker]\nrefuse: {ubuntu-26.04: it is too new}\n"
        'instance: {config: {security.nesting: "true", limits.processes: "500"}}\n'
        "checks: [{name: runs, kind: command, run: [docker, info]}]\n",
    )
    lab.child(
        "docker-desktop",
        "groups: [docker, video]\nports: {rdp: 3389}\ndisk: 50GiB\n"
        'instance: {config: {limits.processes: "900"}}\n'
        "checks: [{name: up, kind: boots, timeout: 300}]\n",
        parent="docker-nested",
    )
    return lab.load()


def test_parents_come_first(family: Catalog) -> None:
    names = [definition.name for definition in family.order()]
    assert names == ["base", "docker-nested", "docker-desktop"]


def test_only_what_was_asked_for_in_order(family: Catalog) -> None:
    names = [definition.name for definition in family.order(["docker-desktop", "docker"])]
    assert names == ["docker-nested", "docker-desktop"]


def test_the_lineage_begins_with_the_root(family: Catalog) -> None:
    lineage = [definition.name for definition in family.lineage("docker-desktop")]
    assert lineage == ["base", "docker-nested", "docker-desktop"]


def test_needs_are_inherited_and_the_nearest_wins(family: Catalog) -> None:
    assert family.needs("docker-desktop") == Needs(
        config={"security.nesting": "true", "limits.processes": "900"},
        groups=("docker", "video"),
        disk="50GiB",
        ports={"rdp": 3389},
    )
    assert family.needs("docker").disk == "20GiB"


def test_checks_are_inherited_and_replaced_by_name(family: Catalog) -> None:
    checks = family.checks("docker-desktop")
    assert [(check.name, check.timeout) for check in checks] == [("up", 300), ("runs", 60)]


def test_how_the_driver_is_wanted_is_inherited_and_the_nearest_wins(lab: DefinitionFiles) -> None:
    lab.write("base", BASE)
    lab.child("quiet", "driver: {delivery: none}\n")
    lab.child("child", parent="quiet")
    lab.child("loud", "driver: {delivery: image}\n", parent="quiet")
    catalog = lab.load()
    wanted = [catalog.delivery(name) for name in ("base", "quiet", "child", "loud")]
    assert wanted == [None, Delivery.NONE, Delivery.NONE, Delivery.IMAGE]
    assert catalog.needs("child").delivery is Delivery.NONE
    lab.child("quiet", "driver: {delivery: bakde}\n")
    assert lab.told() == (
        "definitions/quiet.yaml cannot be used.\n"
        "  definitions/quiet.yaml:5: driver.delivery: must be 'image', 'runtime', 'cdi' or 'none',"
        ' not "bakde"'
    )


def test_a_refusal_holds_for_children(family: Catalog) -> None:
    assert family.refusal("docker-desktop", "ubuntu-26.04") == "it is too new"
    assert family.refusal("docker-desktop", "ubuntu-24.04") is None


def test_an_unknown_template(family: Catalog) -> None:
    with pytest.raises(InputError) as caught:
        family.get("dokcer")
    assert str(caught.value) == (
        'There is no template "dokcer".\n'
        "  Known: base, docker-nested (docker), docker-desktop.\n"
        'Next: Did you mean "docker"?'
    )


@pytest.fixture
def desktops(lab: DefinitionFiles) -> Catalog:
    lab.write("base", BASE)
    lab.child("desktop", "abstract: true\nports: {rdp: 3389}\nchecks: [{name: rdp, kind: rdp}]\n")
    lab.child("gnome-xrdp", "short: gnome\n", parent="desktop")
    lab.child("xfce-xrdp", parent="desktop")
    lab.child("empty", "abstract: true\n")
    return lab.load()


def test_an_abstract_template_is_inherited_from_and_not_released(desktops: Catalog) -> None:
    assert [one.name for one in desktops.order()] == [
        *("base", "desktop", "empty", "gnome-xrdp", "xfce-xrdp")
    ]
    assert [one.name for one in desktops.released()] == ["base", "gnome-xrdp", "xfce-xrdp"]
    assert [one.name for one in desktops.released(["xfce-xrdp"])] == ["xfce-xrdp"]
    assert desktops.needs("gnome").ports == {"rdp": 3389}
    assert [check.name for check in desktops.checks("gnome")] == ["rdp"]


def test_an_abstract_template_that_is_asked_for_names_its_children(desktops: Catalog) -> None:
    with pytest.raises(InputError) as caught:
        desktops.released(["base", "desktop"])
    assert str(caught.value) == (
        "desktop is abstract: no image is made from it.\n"
        "  Templates based on it: gnome-xrdp (gnome), xfce-xrdp.\n"
        "Next: Name one of them: gnome"
    )
    with pytest.raises(InputError) as caught:
        desktops.released(["empty"])
    assert str(caught.value) == (
        "empty is abstract: no image is made from it.\n"
        "  Templates based on it: none yet.\n"
        "Next: Write a template whose parent is empty, or remove `abstract` from "
        "definitions/empty.yaml."
    )
    # Nor is it offered to who mistypes.
    with pytest.raises(InputError) as caught:
        desktops.get("desktpo")
    assert "desktop" not in str(caught.value)


def test_an_abstract_template_has_no_short_name_and_says_so_by_a_word(lab: DefinitionFiles) -> None:
    lab.write("base", BASE)
    lab.child("desktop", "short: desk\nabstract: true\n")
    lab.child("other", "abstract: perhaps\n")
    assert lab.told() == (
        "2 files cannot be used.\n"
        "  definitions/desktop.yaml:5: short: an abstract template has none, since no container is "
        "made from it; remove it\n"
        '  definitions/other.yaml:5: abstract: must be true or false, not "perhaps"'
    )
