"""What `invoke shares`, `host.check` and `start` say of shares."""

from __future__ import annotations

from host.check.shares import ShareFacts, findings, read_share_facts
from lab.machine.access import allow, forbid
from lab.report import Silent
from provision import lifecycle
from provision.shares.listing import list_shares
from tests.support.builders.shared_lab import Scene
from tests.support.builders.sharing import (
    NFS,
    ROOT,
    a_ground,
    share_settings,
)
from tests.support.builders.stamping import SETTINGS, banner, hasty


def test_the_list_tells_what_is_wrong(scene: Scene) -> None:
    scene.share("team", "sets")
    ground = a_ground(scene.directory)
    (scene.directory / "fstab").write_text(f"nas:/x {scene.data}/sets nfs x\n")
    rows = list_shares(scene.lxd, scene.settings, ground)
    assert [(row["name"], row["containers"], row["problem"]) for row in rows] == [
        ("scratch", [], None),
        (
            "sets",
            ["bob"],
            f"nas:/x is not mounted at {scene.data}/sets, where {scene.data}/sets is.",
        ),
        ("team", ["bob"], None),
    ]


def checked(scene: Scene) -> list[tuple[str | None, str, str | None]]:
    containers = scene.lxd.instances()
    facts = read_share_facts(scene.lxd, scene.settings, containers, a_ground(scene.directory))
    return [(one.subject, one.found, one.fix) for one in findings(facts)]


def test_the_host_check_of_shares(scene: Scene) -> None:
    team, sets = scene.data / "team", scene.data / "sets"
    assert checked(scene) == [(None, "in order: scratch, sets, team", None)]
    scene.share("team", "sets")
    assert len(checked(scene)) == 1
    forbid(team, scene.ids("bob"), lambda _count: None)
    allow(team, (70_000, 1500), lambda _count: None)
    sets.rmdir()
    kinds = {**scene.kinds, "team": {**scene.kinds["team"], "at": "/papers"}}
    scene.settings = share_settings(scene.data, **kinds)
    assert checked(scene) == [
        ("sets", f"{sets} does not exist on the server", f"sudo install -d {sets}"),
        (
            "bob",
            "bob has the share team in another way than lab.yaml says",
            "invoke share bob team",
        ),
        (
            "bob",
            "it has the share team, without the right to change things in it",
            "invoke share bob team",
        ),
        (
            str(team),
            "ids without a container that has it may change things in it: 70000",
            f"sudo setfacl -R -x u:70000 {team} && sudo setfacl -R -d -x u:70000 {team}",
        ),
    ]
    scene.settings = SETTINGS
    assert [fix for _, _, fix in checked(scene)] == [
        "invoke unshare bob sets",
        "invoke unshare bob team",
    ]
    elsewhere = share_settings(scene.data, **scene.kinds).model_copy(update={"remote": "https://x"})
    assert read_share_facts(scene.lxd, elsewhere, (), a_ground(scene.directory)) == ShareFacts()


def test_a_mount_that_is_missing_since_is_found(scene: Scene) -> None:
    """Also where /etc/fstab does not name it: it was there when the share was given."""
    a_ground(scene.directory)
    (scene.directory / "mountinfo").write_text(ROOT + NFS.format(point=scene.data / "sets"))
    scene.share("sets")
    (scene.directory / "mountinfo").write_text(ROOT)
    sets = scene.data / "sets"
    assert checked(scene) == [
        ("bob", f"nfs4 is not mounted at {sets}, where {sets} is", f"sudo mount {sets}")
    ]


class Said(Silent):
    def __init__(self, said: list[str]) -> None:
        self.said = said

    def say(self, text: str) -> None:
        self.said.append(text)


def test_a_start_says_what_will_be_missing(scene: Scene) -> None:
    scene.share("sets")
    scene.lxd.stop("bob")
    (scene.data / "sets").rmdir()
    said: list[str] = []
    report = Said(said)
    lifecycle.start(
        scene.lxd, scene.settings, "bob", report=report, timeouts=hasty(), probe_ssh=banner
    )
    assert said == [
        f"bob: the share sets may be missing or empty: {scene.data}/sets does not exist on the "
        "server."
    ]
