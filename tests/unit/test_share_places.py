"""Which directories of the server may be shared: what lab.yaml may say, and what is there."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import InputError
from lab.machine.deadline import within
from lab.machine.mounts import Mount, listed, mount_of, mounts, not_mounted
from lab.settings.settings import load_settings
from lab.settings.shares import ShareKind, is_systems
from lab.shares.ground import Place, Problem, look
from tests.support.builders.sharing import NFS, ROOT, a_ground, directory

READ, PRIVATE, OPEN = ShareKind.READ_ONLY, ShareKind.PRIVATE, ShareKind.OPEN


def refused(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "lab.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        load_settings(tmp_path, {})
    return (error.value.details or "").replace(f"{tmp_path}/", "").splitlines()


def test_what_lab_yaml_says_of_shares(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(
        "share-paths: [/data]\n"
        "shares:\n"
        "  sets: {path: /data/sets, kind: read-only, default: true}\n"
        "  vision: {path: /data/vision, at: /team, kind: open, default: [base]}\n"
    )
    shares = load_settings(tmp_path, {}).shares
    assert (shares["sets"].place, shares["sets"].kind) == ("/data/sets", READ)
    assert (shares["vision"].place, shares["vision"].kind) == ("/team", OPEN)
    given = [shares[name].is_default_of(of) for name in shares for of in ("base", "xfce-xrdp")]
    assert given == [True, True, True, False]


def test_nothing_is_shared_by_default(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert (settings.shares, settings.share_paths) == ({}, ())


@pytest.mark.parametrize(
    "path",
    ["/", "/etc", "/etc/ssl", "/var", "/var/lib", "/var/lib/lxd/containers", "/root", "/proc/1"],
)
def test_directories_of_the_system_are_no_share(tmp_path: Path, path: str) -> None:
    (told,) = refused(tmp_path, f"share-paths: [{path}]\n")
    assert told.startswith("lab.yaml:1: share-paths[0]: must not be a directory of the system"), (
        told
    )


@pytest.mark.parametrize("path", ["data", "/data/../etc", "/data/", "//data", "/a,b", "/data/./x"])
def test_a_path_is_plain(tmp_path: Path, path: str) -> None:
    (told,) = refused(tmp_path, f'share-paths: ["{path}"]\n')
    assert "must be an absolute path such as /data/team" in told, told


@pytest.mark.parametrize("place", ["/", "/home", "/etc/x", "/usr/local", "/tmp/x", "/var"])
def test_no_share_hides_what_the_container_needs(tmp_path: Path, place: str) -> None:
    text = f"share-paths: [/data]\nshares: {{x: {{path: /data/x, at: {place}, kind: open}}}}\n"
    (told,) = refused(tmp_path, text)
    assert told == (
        f'lab.yaml:2: shares.x.at: must not be a directory of the system, not "{place}"'
        ": use one such as /data/team"
    )


def test_names_kinds_and_places_outside_are_told(tmp_path: Path) -> None:
    (told,) = refused(tmp_path, "shares: {none: {path: /data/x, kind: open}}\n")
    assert "must have lower-case letters, digits and dashes only" in told
    (told,) = refused(tmp_path, "shares: {x: {path: /data/x, kind: public}}\n")
    assert told.endswith('kind: must be read-only, private-files or open, not "public"')
    (told,) = refused(
        tmp_path, "share-paths: [/data]\nshares: {x: {path: /database, kind: open}}\n"
    )
    assert "shares: x: /database is in no directory of share-paths" in told


def test_a_share_is_a_directory_or_a_volume(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(
        "shares: {x: {volume: default/sets, at: /sets, kind: read-only}}\n"
    )
    share = load_settings(tmp_path, {}).shares["x"]
    assert (share.volume, share.place, share.path) == (("default", "sets"), "/sets", None)
    for text, told in (
        ("{kind: open}", "must have either path or volume"),
        ("{path: /data/x, volume: a/b, kind: open}", "must have either path or volume"),
        ("{volume: a/b, kind: open}", "must have at: the place of the volume in containers"),
        ("{volume: sets, at: /x, kind: open}", "must be the pool and the name of a volume"),
    ):
        (said,) = refused(tmp_path, f"share-paths: [/data]\nshares: {{x: {text}}}\n")
        assert told in said, said


def test_a_directory_above_the_daemons_is_the_systems() -> None:
    assert is_systems("/mnt/ssd", ["/mnt/ssd/lxd"])
    assert is_systems("/mnt/ssd/lxd/storage-pools", ["/mnt/ssd/lxd"])
    assert not is_systems("/mnt/ssd2", ["/mnt/ssd/lxd"])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return directory(tmp_path / "data", 0o755)


def judge(
    path: Path,
    kind: ShareKind = READ,
    *,
    allowed: Sequence[str] = (),
    owners: frozenset[int] | None = None,
) -> Place | str:
    home = next(one for one in path.parents if one.name == "data").parent
    ground = a_ground(home)
    if owners is not None:
        ground = replace(ground, owners=owners)
    found = look(str(path), [*allowed, str(home / "data")], kind, ground)
    return found.found if isinstance(found, Problem) else found


def test_a_directory_is_judged_where_links_lead(data: Path) -> None:
    directory(data / "sets", 0o755)
    (data / "link").symlink_to("sets")
    found = judge(data / "link")
    assert isinstance(found, Place)
    assert (found.path, found.mode, found.mount.point) == (str(data / "sets"), 0o755, "/")


def test_links_out_of_what_is_allowed_are_refused(data: Path, tmp_path: Path) -> None:
    directory(tmp_path / "elsewhere", 0o755)
    (data / "out").symlink_to(tmp_path / "elsewhere")
    (data / "etc").symlink_to("/etc")
    (data / "lxd").symlink_to(directory(tmp_path / "lxd" / "pools", 0o755))
    (data / "loop").symlink_to("loop")
    assert judge(data / "out") == (
        f"{data}/out leads to {tmp_path}/elsewhere, which is in no directory of share-paths."
    )
    assert judge(data / "etc") == f"{data}/etc leads to /etc, a directory of the system."
    assert judge(data / "lxd") == (
        f"{data}/lxd leads to {tmp_path}/lxd/pools, a directory of the system."
    )
    assert str(judge(data / "loop")).startswith(f"{data}/loop cannot be read: ")


def test_what_is_not_there_or_no_directory(data: Path) -> None:
    (data / "file").write_text("")
    assert judge(data / "gone") == f"{data}/gone does not exist on the server."
    assert judge(data / "file") == f"{data}/file is not a directory."


def test_nobody_else_may_put_a_link_in_its_place(data: Path) -> None:
    """LXD opens the path again at each start."""
    inner = directory(data / "scratch" / "team", 0o755)
    (data / "scratch").chmod(0o1777)
    assert judge(inner) == (
        f"Another account may put something else in the place of {inner}: "
        f"{data}/scratch may be written by everybody."
    )
    (data / "scratch").chmod(0o755)
    assert isinstance(judge(inner), Place)
    if os.geteuid() == 0:
        os.chown(data / "scratch", 1234, 0)
        assert "belongs to uid 1234" in str(judge(inner))
    else:
        assert "belongs to" in str(judge(inner, owners=frozenset({0})))


def test_modes_that_a_mount_makes_up_tell_nothing(data: Path, tmp_path: Path) -> None:
    whole = directory(data / "nas", 0o755)
    inner = directory(whole / "team", 0o755)
    a_ground(tmp_path)
    (tmp_path / "mountinfo").write_text(ROOT + NFS.format(point=whole).replace("nfs4", "cifs"))
    assert "the modes of cifs are made up by its mount" in str(judge(inner))
    assert isinstance(judge(whole), Place)
    (tmp_path / "mountinfo").write_text(ROOT + NFS.format(point=whole))
    assert isinstance(judge(inner), Place)


@pytest.mark.parametrize(
    ("kind", "mode", "told"),
    [
        (READ, 0o750, "Users cannot enter"),
        (PRIVATE, 0o777, "Everybody may delete everybody's files in"),
        (PRIVATE, 0o700, "Users cannot enter"),
        (OPEN, 0o777, "has the mode 0777"),
        (OPEN, 0o1777, "has the mode 1777"),
    ],
)
def test_a_mode_that_does_not_fit(data: Path, kind: ShareKind, mode: int, told: str) -> None:
    assert told in str(judge(directory(data / "x", mode), kind))


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(READ, 0o755), (PRIVATE, 0o1777), (PRIVATE, 0o755), (OPEN, 0o750), (OPEN, 0o2770)],
)
def test_a_mode_that_fits(data: Path, kind: ShareKind, mode: int) -> None:
    assert isinstance(judge(directory(data / "x", mode), kind), Place)


def test_what_fstab_mounts_and_is_not_mounted_is_not_shared(data: Path, tmp_path: Path) -> None:
    """Else the empty directory below the mount would be."""
    point = directory(data / "nas", 0o755)
    a_ground(tmp_path)
    (tmp_path / "fstab").write_text(f"# a comment\nnas:/export {point} nfs4 defaults 0 0\nbad\n")
    told = f"nas:/export is not mounted at {point}, where {point} is."
    assert judge(point) == told
    assert judge(point / "team") == told.replace(f"where {point} is", f"where {point}/team is")
    (tmp_path / "mountinfo").write_text(ROOT + NFS.format(point=point))
    found = judge(point)
    assert isinstance(found, Place)
    assert found.mount == Mount(point=str(point), kind="nfs4", source="nas:/export")
    (tmp_path / "mountinfo").write_text(ROOT + NFS.format(point=point).replace("nfs4", "autofs"))
    assert judge(point) == told


def test_mounts_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(
        ROOT + "7 1 0:9 / /mnt/a\\040b rw shared:3 master:1 - nfs nas:/a\\040b rw\nodd line\n"
        "8 7 0:8 / /mnt/a\\040b rw - tmpfs none rw\n"
    )
    (tmp_path / "fstab").write_text("nas:/a\\040b /mnt/a\\040b/ nfs x\nUUID=1 none swap sw\n")
    mounted, wanted = mounts(tmp_path / "mountinfo"), listed(tmp_path / "fstab")
    assert mount_of("/mnt/a b/c", mounted) == Mount(point="/mnt/a b", kind="tmpfs", source="none")
    assert mount_of("/mnt/a bc", mounted) == Mount(point="/", kind="ext4", source="/dev/vda")
    assert wanted == (Mount(point="/mnt/a b", kind="nfs", source="nas:/a b"),)
    assert not_mounted("/mnt/a b/c", mounted[:1], wanted) == wanted[0]
    assert not_mounted("/mnt/a b/c", mounted, wanted) is None
    assert listed(tmp_path / "none") == ()


def test_a_server_that_does_not_answer_holds_nothing_up() -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        within(never.wait, 0.05)
    assert within(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(lambda: 1 // 0)
