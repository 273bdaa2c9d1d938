"""`invoke images`: the document's shape and the table made of it."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from commands.views.images import COLUMNS, age, remarks, rows
from images.build.plan import Build, Keep
from images.inventory import document
from images.releases.published import PublishedRelease, ReleaseState
from lab.lxd.model import Image, Instance, State
from lab.release import Release, Smoke, Unreadable, read_release

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)
RELEASE = Release(
    template="base",
    short="base",
    version="20261121.1",
    recipe="0123456789abcdef",
    inputs={"distribution": "debian-12"},
    parent=None,
    distro="debian-12",
    driver=None,
    built_at=NOW - timedelta(hours=9),
    commit="abc",
    pipeline="1",
    smoke=Smoke.PASSED,
    gpu=Smoke.SKIPPED,
)
IMAGE = Image(
    fingerprint="f" * 64,
    aliases=("lab/base", "lab/base/20261121.1"),
    properties=RELEASE.properties(),
    size_bytes=123 * 1024**2,
    created_at=NOW - timedelta(hours=3),
)
CURRENT = PublishedRelease(release=RELEASE, image=IMAGE, state=ReleaseState.CURRENT)
BOB = Instance(
    name="bob",
    state=State.RUNNING,
    config={"volatile.base_image": "f" * 64},
    created_at=NOW,
)


def test_the_document_has_the_shape_that_scripts_rely_on() -> None:
    made = document([("base", "base")], [CURRENT], [Keep(template="base", version="1")], [BOB])
    assert made == {
        "templates": [
            {
                "name": "base",
                "short": "base",
                "stale": None,
                "versions": [
                    {
                        "version": "20261121.1",
                        "fingerprint": "f" * 64,
                        "driver": None,
                        "recipe": "0123456789abcdef",
                        "built_at": "2026-11-21T03:00:00+00:00",
                        "added_at": "2026-11-21T09:00:00+00:00",
                        "size_bytes": 123 * 1024**2,
                        "state": "current",
                        "smoke": "passed",
                        "gpu": "skipped",
                        "used_by": ["bob"],
                    }
                ],
            }
        ],
        "unreadable": [],
    }


def test_images_beyond_reading_are_told_with_the_way_out() -> None:
    image = replace(IMAGE, properties={**IMAGE.properties, "lab.built_at": "2026-11-21T09:00:00"})
    spoiled = read_release(image)
    assert isinstance(spoiled, Unreadable)
    made = document([("base", "base")], [], [], [], [spoiled])
    problem = "lab.built_at: is not a time with a time zone such as 2026-11-21T09:00:00+00:00"
    assert made["unreadable"] == [
        {
            "name": "lab/base/20261121.1",
            "fingerprint": "f" * 64,
            "aliases": ["lab/base", "lab/base/20261121.1"],
            "problems": [problem],
            "fix": f"lxc image delete {'f' * 12}",
        }
    ]
    assert list(remarks(made)) == [
        "lab/base/20261121.1 cannot be read, and is not used:",
        f"  {problem}",
        f"  If nothing needs it: lxc image delete {'f' * 12}",
    ]


def test_a_stale_template_says_why() -> None:
    why = Build(template="base", reason="cloud-init/base.yaml.j2 changed", body=True)
    made = document([("base", "base")], [CURRENT], [why], [])
    assert made["templates"][0]["stale"] == "cloud-init/base.yaml.j2 changed"


def test_a_release_without_a_definition_is_still_shown() -> None:
    made = document([], [CURRENT], [], [])
    assert made["templates"][0]["stale"] == "its definition no longer exists"


def test_of_an_abstract_template_only_releases_from_before_are_shown() -> None:
    built = Build(template="base", reason="xfce needs it", body=True, release=False)
    assert document([], [], [built], [], abstract={"base"})["templates"] == []
    (before,) = document([], [CURRENT], [built], [], abstract={"base"})["templates"]
    assert (before["stale"], len(before["versions"])) == ("its template is abstract now", 1)


def test_the_table_has_a_row_a_version() -> None:
    older = replace(CURRENT, state=ReleaseState.SUPERSEDED)
    made = document([("base", "base"), ("xfce-xrdp", "xfce")], [CURRENT, older], [], [BOB])
    table = list(rows(made, now=NOW))
    assert all(len(row) == len(COLUMNS) for row in table)
    told = ["passed", "-", "skipped", "3 h", "123.0 MiB", "bob", ""]
    assert table == [
        ["base (base)", "20261121.1", "current", *told],
        ["", "20261121.1", "superseded", *told],
        ["xfce-xrdp (xfce)", "-", "", "", "", "", "", "", "", ""],
    ]


def test_ages_are_short() -> None:
    assert [age(NOW - delta, NOW) for delta in (timedelta(minutes=5), timedelta(days=12))] == [
        "5 min",
        "12 d",
    ]


def test_a_release_survives_its_own_properties() -> None:
    assert Release.of(IMAGE) == RELEASE


def test_an_image_of_somebody_else_is_no_release() -> None:
    assert Release.of(replace(IMAGE, properties={"description": "ubuntu 22.04"})) is None
    broken = {**RELEASE.properties(), "lab.needs": "{"}
    assert Release.of(replace(IMAGE, properties=broken)) is None
