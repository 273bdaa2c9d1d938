"""clean.sh stays on the builder's own file system, whatever is mounted in it, and wherever."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.live_lab.lab import ROOT

pytestmark = pytest.mark.plain

BELOW = ("mnt", "tmp", "root", "home", "var/tmp", "var/log", "var/lib/cloud", "var/cache/apt")
NAMES = ("a", ".cache", "nas data", "ünï", "b.deb", "x\ty", "-rf")
PLACES = st.builds(
    lambda above, names: "/".join((above, *names)),
    st.sampled_from(BELOW),
    st.lists(st.sampled_from(NAMES), max_size=3),
)
KINDS = st.sampled_from(("bind", "tmpfs"))


@pytest.fixture(scope="module")
def inside() -> Iterator[Path]:
    """A root file system of its own, with this machine's programs mounted read-only below /run."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for name in (*BELOW, "etc/alternatives", "proc", "sys", "dev", "run", "root/.cache"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "etc/alternatives/awk").symlink_to("/usr/bin/mawk")
        yield root


_IN_A_NAMESPACE = """\
set -e
root=$1
shift
mount --make-rprivate /
mount --bind "$root" "$root" # so that it is the root of a chroot
mkdir -p "$root/run/usr"
mount --bind /usr "$root/run/usr"
mount -o remount,bind,ro "$root/run/usr"
mount -t proc proc "$root/proc"
for link in bin sbin lib lib64; do
    if [ -e "/$link" ]; then ln -sfn "run/usr/$link" "$root/$link"; fi
done
ln -sfn run/usr "$root/usr"
while [ $# -gt 0 ]; do # KIND PLACE DECOY
    mkdir -p "$root/$2"
    if [ "$1" = bind ]; then
        mount --bind "$3" "$root/$2"
    else
        mount -t tmpfs none "$root/$2"
        cp -a "$3/." "$root/$2/"
    fi
    shift 3
done
seen() { # each file with its content, of all that is mounted, too
    find "$root" \\( -path "$root/run" -o -path "$root/proc" \\) -prune -o -type f -print0 |
        sort -z | xargs -0 sha256sum
}
seen >"$root/run/before"
code=0
chroot "$root" sh /run/clean.sh || code=$?
seen | cmp - "$root/run/before" && echo "All is as before."
exit $code
"""


def _clean(root: Path, mounts: list[tuple[str, str, Path]]) -> subprocess.CompletedProcess[str]:
    """Run clean.sh in ROOT, in a mount namespace of its own, with MOUNTS (kind, place, decoy)."""
    (root / "run/clean.sh").write_bytes((ROOT / "images/scripts/clean.sh").read_bytes())
    words = [str(word) for mount in mounts for word in mount]
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", _IN_A_NAMESPACE, "sh", str(root), *words],
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def _decoy() -> Iterator[Path]:
    """Somebody's directory, with all that clean.sh would like to delete, old and new."""
    with tempfile.TemporaryDirectory() as directory:
        decoy = Path(directory)
        for name in ("thesis.tex", "cuda-repo.deb", ".bash_history", "model.bin", "x.gz", "y.1"):
            (decoy / name).write_text("somebody's\n")
        (decoy / ".cache").mkdir()
        (decoy / ".cache" / "weights").write_text("somebody's\n")
        yield decoy


@given(st.lists(st.tuples(KINDS, PLACES), min_size=1, max_size=3, unique_by=lambda one: one[1]))
@settings(max_examples=25, deadline=None)
def test_nothing_that_is_mounted_is_touched(inside: Path, mounted: list[tuple[str, str]]) -> None:
    with ExitStack() as stack:
        mounts = [(kind, place, stack.enter_context(_decoy())) for kind, place in mounted]
        own = inside / "root" / ".cache" / "own"
        own.write_text("the builder's\n")
        said = _clean(inside, mounts)
        assert said.returncode == 1, said.stdout + said.stderr
        assert "Nothing is cleaned, since this is mounted here:" in said.stdout
        # Not even what is the builder's own goes: nothing is half done.
        assert said.stdout.splitlines()[-1] == "All is as before.", said.stdout + said.stderr
        assert own.read_text() == "the builder's\n"
        for _, _, decoy in mounts:
            assert (decoy / ".cache" / "weights").read_text() == "somebody's\n"


def test_without_mounts_it_cleans(inside: Path) -> None:
    """So that the test above would notice a script that never does anything."""
    stale = inside / "tmp" / "stale"
    stale.write_text("x")
    (inside / "etc" / "machine-id").write_text("0123\n")
    said = _clean(inside, [])
    assert "Nothing is cleaned" not in said.stdout
    assert (inside / "etc" / "machine-id").read_text() == ""
    assert not stale.exists(), said.stdout + said.stderr
