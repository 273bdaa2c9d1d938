"""Recipe ids hold still for the same content and say why when they move."""

from images.build.recipe import Recipe, content, difference


def test_the_same_content_gives_the_same_id_in_any_order() -> None:
    one = Recipe(inputs={"a": content("x"), "b": content(b"y")})
    other = Recipe(inputs={"b": content("y"), "a": content(b"x")})
    assert one.id == other.id


def test_a_changed_file_is_named() -> None:
    old = {"cloud-init/docker.yaml.j2": content("a"), "rendered cloud-config": content("A")}
    new = {"cloud-init/docker.yaml.j2": content("b"), "rendered cloud-config": content("B")}
    assert difference(old, new) == "cloud-init/docker.yaml.j2 changed"


def test_plain_values_are_shown_from_and_to() -> None:
    assert (
        difference({"driver": "535.183.01"}, {"driver": "535.261.03"})
        == "driver 535.183.01 → 535.261.03"
    )


def test_a_changed_parent_is_named_without_its_id() -> None:
    assert difference({"parent base": "1"}, {"parent base": "2"}) == "base changed"


def test_another_parent_is_named_with_the_one_before() -> None:
    told = difference({"parent base": "1"}, {"parent desktop": "2"})
    assert told == "parent base removed, parent desktop added"


def test_a_rendered_text_alone_is_still_a_reason() -> None:
    assert (
        difference({"rendered cloud-config": content("A")}, {"rendered cloud-config": content("B")})
        == "rendered cloud-config changed"
    )


def test_many_reasons_are_cut_to_three() -> None:
    old = {f"images/scripts/{n}": content(str(n)) for n in range(5)}
    new = {f"images/scripts/{n}": content("new") for n in range(5)}
    assert difference(old, new).endswith(" and 2 more")


def test_no_password_of_a_mirror_is_shown() -> None:
    old, new = {"mirror": "http://li:geheim@mirror.lab/d"}, {"mirror": "http://mirror.lab/d"}
    told = difference(old, new)
    assert told == "mirror http://li:***@mirror.lab/d → http://mirror.lab/d"
