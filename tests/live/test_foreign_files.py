"""What an image that labstamp did not make here may say and ask for: nothing is booted."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from images.releases.promotion_order import promoted_property
from lab.machine.lock import hold_lock
from lab.process import me
from lab.release import BUILDER, Needs, Release, Smoke
from lab.report import Silent
from tests.support.live_lab.foreign_images import PREFIX, PROJECT, ForeignImages
from tests.support.live_lab.gpu_host import where_lxd_is
from tests.support.live_lab.lab import INVOKE, ROOT, lxc, query, stable
from tests.support.live_lab.removing import remove_lab

pytestmark = pytest.mark.plain

A, B = "20261121.1", "20261122.1"
RELEASE = Release(
    template="base",
    short="base",
    version=A,
    recipe="0123456789abcdef",
    inputs={},
    parent=None,
    distro="debian-12",
    driver=None,
    built_at=datetime(2026, 11, 21, tzinfo=timezone.utc),
    commit="abc",
    pipeline="1",
    smoke=Smoke.PASSED,
)
HOSTILE = Needs(
    config={"security.idmap.isolated": "true", "security.idmap.base": "0"},
    devices={
        "api": {
            "type": "proxy",
            "bind": "instance",
            "mode": "0666",
            "listen": "unix:/srv/api.sock",
            "connect": "unix:/var/lib/lxd/unix.socket",
        },
        "rootfs": {"type": "disk", "source": "/", "path": "/mnt/host"},
    },
)
REFUSED = (
    "  security.idmap.base: labstamp decides which ids a container has\n"
    "  security.idmap.isolated: labstamp decides which ids a container has\n"
    "  device api: it would reach the server's own sockets and ports\n"
    "  device rootfs: it would show files of the server or another user's volume; put a device for "
    "all containers into the default profile\n"
)
AGAIN = "Next: Correct the template on the machine that exported it, then export it again.\n"
CLOCK = """\
import datetime, os, time
ahead, told = datetime.timedelta(days=float(os.environ["TEST_DAYS_AHEAD"])), time.time
class Shifted(datetime.datetime):
    real = datetime.datetime
    @classmethod
    def now(cls, tz=None):
        return cls.real.now(tz) + ahead
datetime.datetime, time.time = Shifted, lambda: told() + ahead.total_seconds()
"""
"""For a `sitecustomize.py`: the clock of another machine, without touching this one's."""
NO_TIME = "lab.built_at: is not a time with a time zone such as 2026-11-21T09:00:00+00:00"


@pytest.fixture
def files(tmp_path: Path) -> Iterator[ForeignImages]:
    remove_lab(PREFIX, PROJECT)
    yield ForeignImages(tmp_path)
    remove_lab(PREFIX, PROJECT)


def _properties(fingerprint: str) -> dict[str, str]:
    return dict(query(f"/1.0/images/{fingerprint}")["properties"])


def test_a_file_that_asks_for_the_server_is_refused_by_name(files: ForeignImages) -> None:
    asking = replace(RELEASE, needs=HOSTILE).properties()
    path = files.file(asking, files.image({}))
    assert files.refused("import-image", str(path)) == (
        f"error: {path} contains a release that cannot be used here.\n{REFUSED}{AGAIN}"
    )
    nodes = (("dev/sda", tarfile.BLKTYPE, 8, 0), ("srv/kmsg", tarfile.CHRTYPE, 1, 11))
    path = files.file(RELEASE.properties(), files.image({}, nodes))
    assert files.refused("import-image", str(path)).startswith(
        f"error: {path} contains an image with device nodes, which every user of the image could "
        "open.\n"
        "  /dev/sda (block 8,0)\n"
        "  /srv/kmsg (character 1,11)\n"
    )
    assert stable(f"{PREFIX}/base/{A}") is None


def test_an_image_that_is_there_already_is_not_booted_with_what_it_asks_for(
    files: ForeignImages,
) -> None:
    asking = replace(RELEASE, needs=HOSTILE).properties()
    files.place({**asking, **promoted_property(1)}, "base", f"base/{A}")
    told = (
        f"error: base {A}, in its property lab.needs, requests settings or devices that "
        "containers may not have.\n"
    )
    current = replace(RELEASE, version=B).properties()
    fingerprint = files.place({**current, **promoted_property(2)}, f"base/{B}")
    assert files.refused("provision", "ltfile-ann", "--password").startswith(told + REFUSED)
    said = files.lab.invoke("smoke-images", "--only", "base")
    assert said.code == 5
    assert (
        "base, needs: security.idmap.base: labstamp decides which ids a container has" in said.err
    )
    assert query(f"/1.0/instances?project={PROJECT}") == []
    # It failed by that, and is no way back; nor is it where it passed elsewhere.
    lxc("image", "alias", "delete", f"{PREFIX}/base")
    lxc("image", "alias", "create", f"{PREFIX}/base", fingerprint)
    assert "no release was current before" in files.refused("rollback", "base")
    lxc("image", "set-property", stable(f"{PREFIX}/base/{A}") or "", "lab.smoke", "passed")
    assert files.refused("rollback", "base").startswith(told + REFUSED)
    assert files.refused("promote", "base", A).startswith(told + REFUSED)


def test_what_happened_to_a_file_elsewhere_counts_for_nothing(files: ForeignImages) -> None:
    """Said beside the image, or in its own metadata.yaml, of which LXD makes properties."""
    files.place({**RELEASE.properties(), **promoted_property(7)}, "base", f"base/{A}")
    history = {
        "lab.promoted": "5",
        "lab.promoted_at": "2026-11-21T00:00:00+00:00",
        "lab.smoke": "passed",
        "lab.gpu": "passed",
        "lab.source": "debian-12",
        "lab.later": "x",
    }
    sent = {**replace(RELEASE, version=B).properties(), **history}
    path = files.file(sent, files.image(history))
    files.lab.succeed("import-image", str(path))
    came = _properties(stable(f"{PREFIX}/base/{B}") or "")
    assert {key: came[key] for key in history if came.get(key)} == {
        "lab.smoke": "pending",
        "lab.gpu": "pending",
    }
    assert "no release was current before" in files.refused("rollback", "base")
    collision = replace(RELEASE, template="other", short="base").properties()
    path = files.file(collision, files.image({}))
    assert files.refused("import-image", str(path)).startswith(
        f'error: {path} contains a release of other (short: base); "base" means base here.\n'
    )


def test_an_image_beyond_reading_is_listed_and_stops_no_command(files: ForeignImages) -> None:
    timeless = {**RELEASE.properties(), "lab.built_at": "2026-11-21T09:00:00"}
    path = files.file(timeless, files.image({}))
    assert files.refused("import-image", str(path)) == (
        f"error: {path} contains a release that cannot be used here.\n  {NO_TIME}\n{AGAIN}"
    )
    timeless |= promoted_property(1)
    fingerprint = files.place(timeless, f"base/{A}")
    good = replace(RELEASE, version=B).properties()
    files.place({**good, **promoted_property(2)}, "base", f"base/{B}")
    said = files.lab.succeed("images")
    assert said.out.endswith(
        f"{PREFIX}/base/{A} cannot be read, and is not used:\n"
        f"  {NO_TIME}\n"
        f"  If nothing needs it: lxc image delete {fingerprint[:12]}\n"
    )
    (listed,) = files.lab.succeed("images", "--json").document["unreadable"]
    assert (listed["fingerprint"], listed["problems"]) == (fingerprint, [NO_TIME])
    assert "no release was current before" in files.refused("rollback", "base")
    assert f'has no release "{A}"' in files.refused("promote", "base", A)
    assert "Fewer than two releases" in files.refused("diff-images", "base")
    files.lab.succeed("export-image", "base", str(files.directory / "out"))
    assert files.lab.succeed("build-images", "--plan", "--only", "base")
    kept = files.lab.succeed("prune-images", "--keep", "1").out
    assert kept == "Nothing to remove.\n"
    lxc("image", "alias", "delete", f"{PREFIX}/base")
    lxc("image", "alias", "create", f"{PREFIX}/base", fingerprint)
    assert f"  {PREFIX}/base cannot be read: {NO_TIME}\n" in files.refused(
        "provision", "ltfile-ann", "--password"
    )


def test_clocks_that_are_off_by_years_change_no_order(files: ForeignImages) -> None:
    """Three releases, each promoted by a machine of another year."""
    (files.directory / "sitecustomize.py").write_text(CLOCK)
    versions = (f"{year}1121.1" for year in (2036, 1971, 2026))
    made = [(version, days) for version, days in zip(versions, (3653, -20000, 0), strict=True)]
    for version, days in made:
        built_at = RELEASE.built_at + timedelta(days=days)
        files.place(
            replace(RELEASE, version=version, built_at=built_at).properties(), f"base/{version}"
        )
    (first, _), (second, _), (third, _) = made
    for version, days in made:
        said = files.lab.invoke(
            *("promote", "base", version),
            PYTHONPATH=str(files.directory),
            TEST_DAYS_AHEAD=str(days),
        )
        assert said.code == 0, said
    when = _properties(stable(f"{PREFIX}/base/{first}") or "")["lab.promoted_at"]
    assert int(when[:4]) - datetime.now(tz=timezone.utc).year == 10  # its clock was believed
    assert files.lab.succeed("prune-images", "--keep", "2", "--plan").out.splitlines()[:3] == [
        f"base: keep {third}, it is current (10.0 KiB)",
        f"base: keep {second}, one of the newest (10.0 KiB)",
        f"base: remove {first}, superseded (10.0 KiB)",
    ]
    for before, after in ((third, second), (second, first)):
        assert files.lab.succeed("rollback", "base").out == (
            f"base: {after} is current (before: {before}).\n"
        )


def test_pruning_waits_for_who_judges_and_takes_nobody_unseen_for_dead(
    files: ForeignImages,
) -> None:
    pending = replace(RELEASE, smoke=Smoke.PENDING).properties()
    files.place({**pending, BUILDER: me()}, f"base/{A}")
    command = [str(INVOKE), "prune-images"]
    environment = files.lab.environment({})
    # From there nobody can tell whether we live.
    apart = ["unshare", "--pid", "--fork", "--mount-proc"]
    said = subprocess.run(
        [*where_lxd_is(environment, ROOT), *apart, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "Nothing to remove.\n"
    with hold_lock(f"build-{PROJECT}", Silent(), "a test", remote="local"):
        waiting = files.lab.begin("prune-images")
        heard = next(line for line in waiting.stderr or () if "Waiting for" in line)
    assert f'"a test" (process {os.getpid()} on {socket.gethostname()})' in heard
    out, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, out) == (0, "Nothing to remove.\n")
    # Of one that is known to be dead, the image goes.
    ended = subprocess.Popen(["true"])
    ended.wait()
    gone = " ".join((socket.gethostname(), str(ended.pid), *me().split()[2:]))
    lxc("image", "set-property", stable(f"{PREFIX}/base/{A}") or "", BUILDER, gone)
    assert f"base: remove {A}, abandoned" in files.lab.succeed("prune-images").out


def test_a_repaired_builder_is_no_source_and_stays(files: ForeignImages) -> None:
    path = files.lab.settings
    source = {"kind": "instance", "name": "failed-base", "project": PROJECT}
    path.write_text(
        json.dumps({"alias-prefix": PREFIX, "build-project": PROJECT, "source": source})
    )
    assert f"source: must not be in {PROJECT}, whose instances labstamp removes: " in files.refused(
        "build-images"
    )
    path.write_text(json.dumps({"alias-prefix": PREFIX, "build-project": "default"}))
    assert (
        'build-project: must be a project that holds nothing else, not "default"'
        in files.refused("build-images")
    )
