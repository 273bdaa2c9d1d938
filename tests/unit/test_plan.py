"""Decisions of the image pipeline, whole plans at a time."""

from images.build.plan import Build, Current, Decision, Existing, Keep, TemplateRecipes, plan
from images.build.recipe import Recipe, content


def _wanted(base: str = "1", docker: str = "1") -> tuple[TemplateRecipes, ...]:
    base_body = Recipe(inputs={"cloud-init/base.yaml.j2": content(base)})
    docker_body = Recipe(
        inputs={"cloud-init/docker.yaml.j2": content(docker), "parent base": base_body.id}
    )
    return (
        TemplateRecipes(template="base", parent=None, body=base_body, release=base_body),
        TemplateRecipes(
            template="docker-nested", parent="base", body=docker_body, release=docker_body
        ),
    )


def _held(wanted: tuple[TemplateRecipes, ...]) -> Existing:
    return Existing(
        releases={
            one.template: Current(
                version="20261121.1", recipe=one.release.id, inputs=one.release.inputs
            )
            for one in wanted
        },
        bodies={one.template: one.body.id for one in wanted},
    )


BOTH = frozenset({"base", "docker-nested"})
NOTHING = Existing(releases={}, bodies={})
KEEP_BASE = Keep(template="base", version="20261121.1")
KEEP_DOCKER = Keep(template="docker-nested", version="20261121.1")


def _texts(decisions: tuple[Decision, ...]) -> list[str]:
    return [str(decision) for decision in decisions]


def test_nothing_there_builds_everything_parents_first() -> None:
    assert plan(_wanted(), NOTHING, selected=BOTH) == (
        Build(template="base", reason="no release yet", body=True),
        Build(template="docker-nested", reason="no release yet", body=True),
    )


def test_nothing_changed_keeps_everything() -> None:
    assert plan(_wanted(), _held(_wanted()), selected=BOTH) == (KEEP_BASE, KEEP_DOCKER)


def test_a_changed_child_rebuilds_alone_and_says_why() -> None:
    decisions = plan(_wanted(docker="2"), _held(_wanted()), selected=BOTH)
    assert _texts(decisions) == [
        "base: keep 20261121.1, nothing changed",
        "docker-nested: build, cloud-init/docker.yaml.j2 changed",
    ]


def test_a_changed_base_rebuilds_its_children() -> None:
    decisions = plan(_wanted(base="2"), _held(_wanted()), selected=BOTH)
    assert _texts(decisions) == [
        "base: build, cloud-init/base.yaml.j2 changed",
        "docker-nested: build, base is rebuilt",
    ]


def test_a_child_alone_needs_no_parent_build_while_the_parents_body_is_there() -> None:
    decisions = plan(_wanted(docker="2"), _held(_wanted()), selected=frozenset({"docker-nested"}))
    assert [decision.template for decision in decisions] == ["docker-nested"]


def test_a_parent_whose_body_is_gone_is_built_for_its_child() -> None:
    held = _held(_wanted())
    without = Existing(
        releases=held.releases, bodies={"docker-nested": held.bodies["docker-nested"]}
    )
    assert plan(_wanted(docker="2"), without, selected=BOTH) == (
        Build(
            template="base",
            reason="docker-nested needs its body, which no longer exists",
            body=True,
        ),
        Build(template="docker-nested", reason="cloud-init/docker.yaml.j2 changed", body=True),
    )


def test_a_missing_body_alone_is_no_reason_to_build() -> None:
    held = _held(_wanted())
    assert plan(_wanted(), Existing(releases=held.releases, bodies={}), selected=BOTH) == (
        KEEP_BASE,
        KEEP_DOCKER,
    )


def test_a_changed_driver_keeps_the_bodies() -> None:
    old = tuple(
        TemplateRecipes(
            template=one.template,
            parent=one.parent,
            body=one.body,
            release=one.body.extended({"driver": "535.183.01"}),
        )
        for one in _wanted()
    )
    new = tuple(
        TemplateRecipes(
            template=one.template,
            parent=one.parent,
            body=one.body,
            release=one.body.extended({"driver": "535.261.03"}),
        )
        for one in _wanted()
    )
    assert _texts(plan(new, _held(old), selected=BOTH)) == [
        "base: build (its body is kept), driver 535.183.01 → 535.261.03",
        "docker-nested: build (its body is kept), driver 535.183.01 → 535.261.03",
    ]


def test_force_rebuilds_what_is_selected() -> None:
    decisions = plan(_wanted(), _held(_wanted()), selected=frozenset({"docker-nested"}), force=True)
    assert decisions == (Build(template="docker-nested", reason="--force", body=True),)


def _desktops(base: str = "1", desktop: str = "1", xfce: str = "1") -> tuple[TemplateRecipes, ...]:
    ground = Recipe(inputs={"cloud-init/base.yaml.j2": content(base)})
    shared = Recipe(
        inputs={"cloud-init/desktop.yaml.j2": content(desktop), "parent base": ground.id}
    )
    gnome = Recipe(inputs={"parent desktop": shared.id})
    panel = Recipe(inputs={"cloud-init/xfce.yaml.j2": content(xfce), "parent desktop": shared.id})
    return (
        TemplateRecipes(template="base", parent=None, body=ground, release=ground),
        TemplateRecipes(
            template="desktop", parent="base", abstract=True, body=shared, release=shared
        ),
        TemplateRecipes(template="gnome", parent="desktop", body=gnome, release=gnome),
        TemplateRecipes(template="xfce", parent="desktop", body=panel, release=panel),
    )


def _held_desktops(*without_body: str) -> Existing:
    held = _held(_desktops())
    return Existing(
        releases={name: one for name, one in held.releases.items() if name != "desktop"},
        bodies={name: one for name, one in held.bodies.items() if name not in without_body},
    )


EVERY = frozenset({"base", "gnome", "xfce"})


def test_an_abstract_template_is_built_for_its_children_and_never_released() -> None:
    decisions = plan(_desktops(), NOTHING, selected=EVERY)
    assert [
        (one.template, one.body, one.release) for one in decisions if isinstance(one, Build)
    ] == [
        ("base", True, True),
        ("desktop", True, False),
        ("gnome", True, True),
        ("xfce", True, True),
    ]
    alone = plan(_desktops(), _held(_desktops()[:1]), selected=frozenset({"xfce"}))
    assert _texts(alone) == [
        "desktop: build its body, xfce needs it",
        "xfce: build, no release yet",
    ]


def test_an_abstract_template_is_kept_where_its_body_is_there() -> None:
    decisions = plan(_desktops(), _held_desktops(), selected=EVERY)
    assert all(isinstance(one, Keep) for one in decisions)
    assert _texts(decisions)[1] == "desktop: keep its body, nothing changed"
    changed = plan(_desktops(xfce="2"), _held_desktops(), selected=EVERY)
    assert _texts(changed) == [
        "base: keep 20261121.1, nothing changed",
        "desktop: keep its body, nothing changed",
        "gnome: keep 20261121.1, nothing changed",
        "xfce: build, cloud-init/xfce.yaml.j2 changed",
    ]


def test_an_abstract_template_without_a_child_that_needs_it_is_not_built() -> None:
    kept = plan(_desktops(), _held_desktops("desktop"), selected=EVERY)
    assert [one.template for one in kept] == ["base", "gnome", "xfce"]
    assert all(isinstance(one, Keep) for one in kept)
    # Nor for layers: what they are put on is there.
    forced = plan(_desktops(), _held_desktops("desktop"), selected=frozenset({"base"}), force=True)
    assert forced == (Build(template="base", reason="--force", body=True),)
    base = plan(_desktops(desktop="2"), _held_desktops(), selected=frozenset({"base"}))
    assert base == (KEEP_BASE,)


def test_an_abstract_template_that_is_gone_is_built_for_the_child_that_changed() -> None:
    decisions = plan(_desktops(xfce="2"), _held_desktops("desktop", "base"), selected=EVERY)
    assert _texts(decisions) == [
        "base: build, desktop needs its body, which no longer exists",
        "desktop: build its body, xfce needs it",
        "gnome: keep 20261121.1, nothing changed",
        "xfce: build, cloud-init/xfce.yaml.j2 changed",
    ]


def test_a_changed_abstract_template_rebuilds_its_children_alone() -> None:
    decisions = plan(_desktops(desktop="2"), _held_desktops(), selected=EVERY)
    assert _texts(decisions) == [
        "base: keep 20261121.1, nothing changed",
        "desktop: build its body, xfce needs it with its current files",
        "gnome: build, desktop changed",
        "xfce: build, desktop changed",
    ]


def test_a_changed_base_rebuilds_an_abstract_child_and_what_is_on_top_of_it() -> None:
    assert _texts(plan(_desktops(base="2"), _held_desktops(), selected=EVERY)) == [
        "base: build, cloud-init/base.yaml.j2 changed",
        "desktop: build its body, base is rebuilt",
        "gnome: build, desktop is rebuilt",
        "xfce: build, desktop is rebuilt",
    ]
    assert _texts(plan(_desktops(base="2"), _held_desktops(), selected=frozenset({"xfce"}))) == [
        "base: build, desktop needs it with its current files",
        "desktop: build its body, xfce needs it with its current files",
        "xfce: build, desktop changed",
    ]


def test_force_takes_the_abstract_parent_along_which_nobody_can_name() -> None:
    decisions = plan(_desktops(), _held_desktops(), selected=frozenset({"xfce"}), force=True)
    assert _texts(decisions) == [
        "desktop: build its body, --force",
        "xfce: build, desktop is rebuilt",
    ]
