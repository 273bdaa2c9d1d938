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
        Build(template="base", reason="docker-nested needs its body, which is gone", body=True),
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
