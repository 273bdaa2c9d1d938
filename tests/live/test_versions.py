"""Releases that are there already: back and forth, out into a file and in again, and away."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.killed import killed
from tests.support.live_lab.lab import lxc, query
from tests.support.live_lab.removing import remove_instance, remove_lab
from tests.support.live_lab.shelf import PREFIX, PROJECT, TEMPLATE, Shelf
from tests.support.live_lab.tiny import make_tiny

pytestmark = pytest.mark.plain

USER = "ltvers-ann"
BEN = "ltvers-ben"


@pytest.fixture(scope="module")
def built(source: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    remove_instance(USER)
    remove_lab(PREFIX, PROJECT)
    tiny = make_tiny(tmp_path_factory.mktemp("versions"), source, TEMPLATE)
    tiny.set(**{"alias-prefix": PREFIX, "build-project": PROJECT, "source": source})
    shelf = Shelf(tiny)
    shelf.build("1.0")
    shelf.build("2.0")
    yield shelf
    remove_instance(USER)
    remove_lab(PREFIX, PROJECT)


@pytest.fixture
def shelf(built: Shelf) -> Shelf:
    """The second release is current, the first was before it."""
    for version in built.versions:
        built.succeed("promote", "vers", version)
    return built


@pytest.fixture(scope="module")
def exported(built: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "tiny.labstamp"
    built.succeed("export-image", "vers", str(path), "--version", built.versions[0])
    return path


def test_the_difference_is_told_by_package(shelf: Shelf) -> None:
    old, new = shelf.versions
    assert shelf.succeed("diff-images", "vers") == (
        f"vers {old} → {new}: 1 upgraded\n  upgraded   labstamp-probe 1.0 → 2.0\n"
    )
    assert shelf.succeed("diff-images", "vers", "--old", new, "--new", old) == (
        f"vers {new} → {old}: 1 downgraded\n  downgraded labstamp-probe 2.0 → 1.0\n"
    )


def test_rollback_and_promote_take_no_time_and_say_what_they_did(shelf: Shelf) -> None:
    old, new = shelf.versions
    began = time.monotonic()
    assert shelf.succeed("rollback", "vers") == f"vers: {old} is current (before: {new}).\n"
    assert time.monotonic() - began < 5
    assert shelf.current() == old
    assert shelf.refused("rollback", "vers") == (
        f"error: vers: no release was current before {old}.\n"
        "  Its releases:\n"
        f"  {new} (superseded, checks: passed)\n"
        f"  {old} (current, checks: passed)\n"
        "Next: Choose one: invoke promote vers VERSION\n"
    )
    assert shelf.succeed("promote", "vers", new) == f"vers: {new} is current (before: {old}).\n"
    assert shelf.current() == new
    shelf.succeed("rollback", "vers")
    assert shelf.current() == old


def test_what_is_not_there_is_refused(shelf: Shelf) -> None:
    old, new = shelf.versions
    assert shelf.refused("promote", "vers", "20200101.1") == (
        'error: vers has no release "20200101.1".\n'
        "  Its releases:\n"
        f"  {new} (current, checks: passed)\n"
        f"  {old} (superseded, checks: passed)\n"
        "Next: Choose one of these versions.\n"
    )
    assert shelf.refused("rollback", "verse").startswith(
        'error: There is no release of "verse" (did you mean "vers"?).\n'
    )


def test_a_release_that_failed_its_checks_is_not_promoted(shelf: Shelf) -> None:
    old, _ = shelf.versions
    _outcome(shelf, old, "failed")
    try:
        assert shelf.refused("promote", "vers", old) == (
            f"error: vers {old} failed its checks, so users cannot get it.\n"
            "Next: Correct its definition, then: invoke build-images --only vers\n"
        )
    finally:
        _outcome(shelf, old, "passed")


def test_only_what_nobody_needs_is_pruned(shelf: Shelf, exported: Path) -> None:
    old, new = shelf.versions
    first = shelf.fingerprint(old) or ""
    assert shelf.refused("prune-images", "--keep", "0") == (
        "error: --keep 0: expected a whole number, 1 or more, such as --keep 3.\n"
    )
    lxc("init", first, USER)
    assert shelf.succeed("prune-images", "--keep", "1", "--plan").splitlines() == [
        f"vers: keep {new}, it is current ({_shown(shelf, new)})",
        f"vers: keep {old}, used by {USER} ({_shown(shelf, old)})",
        "Nothing to remove.",
    ]
    assert shelf.succeed("prune-images", "--keep", "1") == "Nothing to remove.\n"
    remove_instance(USER)
    shown = _shown(shelf, old)
    assert shelf.succeed("prune-images") == "Nothing to remove.\n"
    assert shelf.succeed("prune-images", "--keep", "1") == (
        f"vers: remove {old}, superseded ({shown})\n"
        f"Freed {shown}, and the unpacked copies in the storage pool.\n"
    )
    assert shelf.fingerprint(old) is None
    assert shelf.current() == new
    # For the tests that come after this one.
    shelf.succeed("import-image", str(exported))


def test_a_release_goes_out_and_comes_in_and_is_checked_before_users_get_it(
    shelf: Shelf, exported: Path
) -> None:
    old, new = shelf.versions
    sent = shelf.fingerprint(old)
    assert sent is not None
    told = shelf.properties(sent)
    assert shelf.succeed("import-image", str(exported)) == (
        f"LXD already has vers {old}; nothing to do.\n"
    )
    lxc("image", "delete", sent)
    assert shelf.succeed("import-image", str(exported)) == (
        f"vers {old} is imported; users do not get it yet.\n"
        "Next, to check it on this machine and give it to users:\n"
        f"  invoke promote vers {old}\n"
    )
    assert shelf.fingerprint(old) == sent
    assert shelf.current() == new
    came = shelf.properties(sent)
    assert came["lab.smoke"] == "pending"
    assert came["lab.packages"] == told["lab.packages"]
    assert not came.get("lab.builder")
    assert not came.get("lab.promoted_at")

    began = time.monotonic()
    assert shelf.succeed("promote", "vers", old).endswith(
        f"vers: {old} is current (before: {new}).\n"
    )
    assert time.monotonic() - began > 1  # two instances were booted
    assert shelf.properties(sent)["lab.smoke"] == "passed"
    assert [name for name in _instances(PROJECT) if name.startswith("check-")] == []
    shelf.succeed("rollback", "vers")
    assert shelf.current() == new


@pytest.fixture
def bens(shelf: Shelf, key: Path) -> Iterator[dict[str, Any]]:
    """What ben has: a container that runs, and a home that holds a file."""
    public = str(key.with_suffix(".pub"))
    destroy(shelf.tiny.lab, [BEN])
    shelf.succeed("provision", BEN, "--template", "vers", "--gpus", "none", "--key", public)
    lxc("exec", BEN, "--", "sh", "-c", "echo years >/home/thesis")
    yield _bens()
    destroy(shelf.tiny.lab, [BEN])


def _bens() -> dict[str, Any]:
    assert lxc("exec", BEN, "--", "cat", "/home/thesis") == "years\n"
    found = query(f"/1.0/instances/{BEN}")
    return {key: found[key] for key in ("status", "config", "devices", "last_used_at")}


def test_killed_at_any_change_no_command_takes_what_is_somebody_s(
    shelf: Shelf, exported: Path, bens: dict[str, Any]
) -> None:
    """The checks of what is promoted are killed in memory alone (tests/unit): they take long."""
    old, new = shelf.versions
    commands = {
        "prune-images": (),
        "import-image": (str(exported),),
        "promote": ("vers", old),
        "rollback": ("vers",),
    }
    deaths: Counter[str] = Counter()
    for changes in count():
        before = deaths.total()
        _outcome(shelf, old, "failed")
        for command, arguments in commands.items():
            if killed(shelf.tiny.lab, changes, command, *arguments):
                deaths[command] += 1
                assert _bens() == bens
                shelf.succeed(command, *arguments)
            assert _bens() == bens
            if command == "import-image":
                _outcome(shelf, old, "passed")
        assert shelf.current() == new
        if deaths.total() == before:
            break
    # Fewer would mean that the changes are not seen.
    least = {"prune-images": 1, "import-image": 3, "promote": 2, "rollback": 2}
    assert all(deaths[command] >= least[command] for command in commands), deaths


def test_a_file_that_was_tampered_with_is_refused(built: Shelf, exported: Path) -> None:
    """Also where LXD itself would not notice: in the properties, in the last bytes of the tar."""
    whole = exported.read_bytes()
    smoke = whole.index(b'"lab.smoke"') + len(b'"lab.smoke": "p')
    for place in (5, smoke, len(whole) // 2, len(whole) - 1):
        content = bytearray(whole)
        content[place] ^= 1
        changed = exported.with_name("changed")
        changed.write_bytes(content)
        assert built.refused("import-image", str(changed)).startswith(f"error: {changed} ")
    changed.write_bytes(whole[: len(whole) // 2])
    assert "The file is incomplete: it has " in built.refused("import-image", str(changed))


def test_a_foreign_file_is_refused(built: Shelf, tmp_path: Path) -> None:
    lxc("image", "export", built.fingerprint(built.versions[0]) or "", str(tmp_path / "image"))
    (path,) = tmp_path.iterdir()
    assert built.refused("import-image", str(path)) == (
        f"error: {path} was not written by `invoke export-image`.\n"
        "Next: Import a file of `lxc image export` with `lxc image import`.\n"
    )


def test_an_export_does_not_overwrite(built: Shelf, exported: Path) -> None:
    before = exported.stat()
    assert built.refused("export-image", "vers", str(exported)) == (
        f"error: {exported} exists.\nNext: Choose another name, or overwrite it: --force\n"
    )
    assert exported.stat() == before
    assert [path.name for path in exported.parent.glob("labstamp-*")] == []


def test_a_definition_that_asks_for_privileges_is_refused(shelf: Shelf) -> None:
    try:
        shelf.tiny.define(instance={"config": {"security.privileged": "true"}})
        assert "vers: security.privileged: containers here are unprivileged\n" in shelf.refused(
            "build-images"
        )
        # What is built already stays at hand.
        assert shelf.succeed("rollback", "vers")
    finally:
        shelf.tiny.define()


def _outcome(shelf: Shelf, version: str, outcome: str) -> None:
    """As if VERSION's checks had come to it."""
    lxc("image", "set-property", shelf.fingerprint(version) or "", "lab.smoke", outcome)


def _shown(shelf: Shelf, version: str) -> str:
    size = query(f"/1.0/images/{shelf.fingerprint(version)}")["size"]
    return f"{size / 1024**2:.1f} MiB"


def _instances(project: str) -> list[str]:
    return [one["name"] for one in query(f"/1.0/instances?recursion=1&project={project}")]
