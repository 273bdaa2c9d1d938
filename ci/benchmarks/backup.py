"""`ci/bench backup`: a person with many files is backed up, proven, restored, beside LXD's export.

By hand it is what an admin types who has LXD alone: `lxc export` and `lxc storage volume export`,
packed by the same program, and the way back by `import`, until ssh answers. That tells of no file
whether it is right, and forgets the keys of the home. All take turns in one run, on the LXD of
$LXD_DIR, which is gone afterwards.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ci.benchmarks.backup_report import BY_HAND, DIRECTORY, RESTIC, Lap, write
from ci.benchmarks.lifecycle import Commands, answers, make_key
from ci.benchmarks.lxc import addresses, query, run
from ci.benchmarks.machine import describe_machine
from lab.console import print_text
from lab.wait import poll

_ROOT = Path(__file__).resolve().parents[2]
_NAME: Final = "bench-backup"
_WAIT: Final = 300.0
_PLACES: Final = Path("/var/lib")
"""Only root may write there and above: backups are refused elsewhere."""
# Half of it can be packed, as of most homes; sizes differ as those of programs and results do.
_FILL: Final = """
import os, random, sys
home, files, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
often = random.Random(13)
shares = [often.lognormvariate(0, 1.2) for _ in range(files)]
each = size / sum(shares)
words = b"epoch 17 loss 0.0421 accuracy 0.9837 learning-rate 0.0003\\n"
for number, share in enumerate(shares):
    place = f"{home}/work/{number // 500:03}"
    os.makedirs(place, exist_ok=True)
    length = max(1, int(share * each))
    with open(f"{place}/{number}", "wb") as file:
        file.write(os.urandom(length) if number % 2 else (words * (length // 58 + 1))[:length])
"""
# One file in a hundred is another one, of the same size.
_CHANGE: Final = """
import glob, os, sys
for number, path in enumerate(sorted(glob.glob(sys.argv[1] + "/work/*/*"))):
    if number % 100 == int(sys.argv[2]):
        size = os.path.getsize(path)
        with open(path, "wb") as file:
            file.write(os.urandom(size))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    invoke: Commands
    log: Path
    place: Path
    files: int
    size: int

    @property
    def kept(self) -> Path:
        return self.place / "directory"

    @property
    def repository(self) -> Path:
        return self.place / "restic"

    @property
    def exported(self) -> Path:
        return self.place / "by-hand"

    @property
    def targets(self) -> dict[str, tuple[str, Path]]:
        """What labstamp is told, and where that is."""
        return {
            DIRECTORY: (str(self.kept), self.kept),
            RESTIC: (f"restic:{self.repository}", self.repository),
        }

    def inside(self, script: str, *arguments: str) -> None:
        argv = ["lxc", "exec", _NAME, "--", "python3", "-c", script, *arguments]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def main() -> int:
    wanted = _arguments()
    laps: list[Lap] = []
    with _bench(wanted) as bench:
        for number in range(wanted.rounds):
            laps += _round(bench, number)
    machine = describe_machine(wanted.note, with_packer=False)
    write(_ROOT / "docs" / "benchmarks", machine, laps, files=wanted.files, size=wanted.size)
    return 0


@contextmanager
def _bench(wanted: argparse.Namespace) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="labstamp-bench-", dir=_PLACES) as directory:
        place = Path(directory)
        password = place / "password"
        password.write_text("of the bench\n", encoding="utf-8")
        password.chmod(0o600)
        backup = {"password-file": str(password)}
        invoke = Commands(place, wanted.log, "bench-back", backup=backup)
        bench = Bench(
            invoke=invoke, log=wanted.log, place=place, files=wanted.files, size=wanted.size
        )
        _prepare(bench)
        yield bench
        invoke("destroy", _NAME, "--yes", "--purge")


def _prepare(bench: Bench) -> None:
    bench.invoke("host.setup", "--only-lxd")
    print_text("build base")
    bench.invoke("build-images", "--only", "base", "--no-smoke")
    sizes = ("--memory", "2GiB", "--disk", "10GiB", "--gpus", "none")
    quota = f"{2 * bench.size // 1024**2 + 512}MiB"
    key = make_key(bench.place)
    bench.invoke("provision", _NAME, "--key", key, "--home", quota, *sizes)
    print_text(f"fill its home: {bench.files} files")
    bench.inside(_FILL, f"/home/{_NAME}", str(bench.files), str(bench.size))


def _round(bench: Bench, number: int) -> Iterator[Lap]:
    for place in (bench.kept, bench.repository, bench.exported):
        place.mkdir(mode=0o700)
    environ = {"RESTIC_PASSWORD_FILE": str(bench.place / "password")}
    run(["restic", "init", "--repo", str(bench.repository)], bench.log, env=environ)
    for what in ("backup", "second backup"):
        yield _lap(what, BY_HAND, lambda: _export(bench), bench.exported)
        for way, (told, place) in bench.targets.items():
            yield _lap(what, way, partial(bench.invoke, "backup", _NAME, "--to", told), place)
        bench.inside(_CHANGE, f"/home/{_NAME}", str(2 * number + (what == "backup")))
    for way, (told, _) in bench.targets.items():
        yield _lap("verify", way, partial(bench.invoke, "verify-backup", _NAME, "--from", told))
    # What was exported goes back first, while it is there; then there is room for restic's stage.
    bench.invoke("destroy", _NAME, "--yes", "--purge")
    yield _lap("restore", BY_HAND, lambda: _import(bench))
    shutil.rmtree(bench.exported)
    for way, (told, place) in bench.targets.items():
        _lose(bench)
        back = ("restore-backup", _NAME, "--from", told, "--yes")
        yield _lap("restore", way, partial(bench.invoke, *back))
        shutil.rmtree(place)


def _export(bench: Bench) -> None:
    """The last export is replaced, as there is nothing that compares it with this one."""
    pool, volume = _home()
    root, home = bench.exported / "root.tar.zst", bench.exported / "home.tar.zst"
    for path in (root, home):
        path.unlink(missing_ok=True)
    packed = "--compression=zstd"
    run(["lxc", "-q", "export", _NAME, str(root), packed], bench.log)
    run(["lxc", "-q", "storage", "volume", "export", pool, volume, str(home), packed], bench.log)


def _import(bench: Bench) -> None:
    """Volume first: the root's device names it."""
    pool = _pool()
    home = ["storage", "volume", "import", pool, str(bench.exported / "home.tar.zst")]
    run(["lxc", "-q", *home, f"home-{_NAME}"], bench.log)
    run(["lxc", "-q", "import", str(bench.exported / "root.tar.zst")], bench.log)
    run(["lxc", "-q", "start", _NAME], bench.log)
    poll(lambda: _is_reached() or None, what=f"ssh in {_NAME}", timeout=_WAIT, every=0.1)


def _lose(bench: Bench) -> None:
    """Also what came back by LXD's import, whose home has lost the keys of one."""
    bench.invoke("destroy", _NAME, "--yes", "--purge")
    pool, volume = _pool(), f"home-{_NAME}"
    there = query(f"/1.0/storage-pools/{pool}/volumes/custom?recursion=1")
    if any(one["name"] == volume for one in there):
        run(["lxc", "-q", "storage", "volume", "delete", pool, volume], bench.log)


def _pool() -> str:
    return str(query("/1.0/profiles/default")["devices"]["root"]["pool"])


def _home() -> tuple[str, str]:
    devices = query(f"/1.0/instances/{_NAME}")["devices"].values()
    home = next(one for one in devices if one.get("path") == "/home")
    return home["pool"], home["source"]


def _is_reached() -> bool:
    try:
        there = addresses(_NAME)
    except (subprocess.CalledProcessError, OSError):
        return False
    return any(answers(address) for address in there)


def _lap(what: str, way: str, work: Callable[[], object], place: Path | None = None) -> Lap:
    load = os.getloadavg()[0]
    before = _used(place) if place else 0
    os.sync()
    began = time.monotonic()
    work()
    seconds = time.monotonic() - began
    # What is replaced is written again.
    replaced = 0 if way == BY_HAND else before
    stored = _used(place) - replaced if place else None
    print_text(f"{what}, {way}: {seconds:.1f} s")
    return Lap(what=what, way=way, seconds=round(seconds, 1), stored=stored, load=round(load, 2))


def _used(place: Path) -> int:
    return sum(path.lstat().st_size for path in place.rglob("*") if path.is_file())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ci/bench backup")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=5 * 1024**3)
    parser.add_argument("--note", default="")
    parser.add_argument("--log", type=Path, default=Path(os.devnull))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
