"""A lock installs the same on every day: ci/machine.sh with the system's pip, and a small index.

pip 23.0.1, Debian 12's, takes `b[extra]` of a wheel for a requirement of its own in hash mode, and
asks the index: so a release of b that came after the lock was made ended the installation.
"""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

INSTALL = """
set -euo pipefail
. "$1/ci/lib.sh"
. "$1/ci/machine.sh"
root=$2 step_note=$2/note
find_python
_install_lock lock.txt "$2/stamp" "the sums"
"""
BAD_PIP = "23.0.1"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    url: str
    wheels: dict[str, Path]

    def lock(self, *names: str) -> str:
        lines = []
        for name in names:
            digest = hashlib.sha256(self.wheels[name].read_bytes()).hexdigest()
            lines.append(f"{name} \\\n    --hash=sha256:{digest}\n")
        return "".join(lines)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """With a that wants b[extra], of which there is a newer release than anybody locked, and c."""
    simple = tmp_path_factory.mktemp("index") / "simple"
    wheels = {
        "a==1": make_wheel(simple, "a", "1", "b[extra]>=1", "c"),
        "b==1": make_wheel(simple, "b", "1", 'd ; extra == "extra"'),
        "b==2": make_wheel(simple, "b", "2"),
        "c==1": make_wheel(simple, "c", "1"),
        "d==1": make_wheel(simple, "d", "1"),
    }
    handler = partial(Quiet, directory=str(simple.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Index(url=f"http://127.0.0.1:{server.server_port}/simple", wheels=wheels)
        server.shutdown()
        thread.join()


def make_wheel(simple: Path, name: str, version: str, *requires: str) -> Path:
    """One with nothing in it but what it is and wants."""
    about = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    about += ["Provides-Extra: extra", *(f"Requires-Dist: {one}" for one in requires)]
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{name}-{version}.dist-info/METADATA": "\n".join(about) + "\n",
        f"{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{name}-{version}.dist-info/RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record])
    (simple / name).mkdir(parents=True, exist_ok=True)
    wheel = simple / name / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def install(
    root: Path, index: Index, *names: str, ci: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """The lock of NAMES into ROOT/.venv, by the functions of CI/ci."""
    root.mkdir(exist_ok=True)
    (root / "lock.txt").write_text(index.lock(*names))
    return subprocess.run(
        ["bash", "-c", INSTALL, "install", str(ci), str(root)],
        # Nothing of this machine's settings for pip.
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(root),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": index.url,
            "PIP_NO_CACHE_DIR": "1",
            # Whose checkout it may be (ci/owner.sh).
            **{key: value for key, value in os.environ.items() if key == "SUDO_UID"},
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def versions(root: Path) -> set[str]:
    found = (root / ".venv").glob("lib/*/site-packages/[abcd]-*.dist-info")
    return {path.name.removesuffix(".dist-info") for path in found}


def pip_of(root: Path) -> str:
    (found,) = (root / ".venv").glob("lib/*/site-packages/pip-*.dist-info")
    return found.name.removesuffix(".dist-info").removeprefix("pip-")


WHOLE = ("a==1", "b==1", "c==1", "d==1")


def test_a_newer_release_in_the_index_changes_nothing(tmp_path: Path, index: Index) -> None:
    ended = install(tmp_path / "root", index, *WHOLE)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert versions(tmp_path / "root") == {"a-1", "b-1", "c-1", "d-1"}
    assert (tmp_path / "root" / "stamp").read_text() == "the sums\n"


def test_pip_would_resolve_if_it_were_let(tmp_path: Path, index: Index) -> None:
    """What the test above rests on: that this index is a trap for whoever lets pip resolve."""
    for file in ("lib.sh", "owner.sh", "machine.sh"):
        text = (ROOT / "ci" / file).read_text()
        (tmp_path / "ci").mkdir(exist_ok=True)
        (tmp_path / "ci" / file).write_text(text.replace(" --no-deps", ""))
    ended = install(tmp_path / "root", index, *WHOLE, ci=tmp_path)
    if pip_of(tmp_path / "root") == BAD_PIP:
        assert ended.returncode != 0
        assert "b[extra]>=1" in ended.stderr
    else:
        assert ended.returncode == 0


def test_a_lock_that_lacks_something_is_told_and_tried_again(tmp_path: Path, index: Index) -> None:
    root = tmp_path / "root"
    ended = install(root, index, "a==1", "b==1", "d==1")
    assert ended.returncode == 2
    assert "a 1 requires c, which is not installed." in ended.stdout.splitlines()
    assert ended.stderr.splitlines()[-2:] == [
        "lock.txt is not whole: it lacks what pip names above.",
        "Next: make it anew, with the command in its first lines",
    ]
    assert not (root / "stamp").exists()
    assert install(root, index, *WHOLE).returncode == 0
    assert (root / "stamp").exists()


def test_what_an_interrupted_run_left_is_made_anew(tmp_path: Path, index: Index) -> None:
    """Files half written, and no stamp: pip itself would find nothing to do."""
    root = tmp_path / "root"
    assert install(root, index, *WHOLE).returncode == 0
    (root / "stamp").unlink()
    (module,) = (root / ".venv").glob("lib/*/site-packages/c.py")
    module.write_text("")
    assert install(root, index, *WHOLE).returncode == 0
    assert module.read_text() == "version = '1'\n"


def test_every_installation_is_by_that_function() -> None:
    """Whoever installs from a lock lets pip resolve nothing, here as in what people copy."""
    files = [*(ROOT / "ci").rglob("*"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*")]
    for file in files:
        if not file.is_file() or file.suffix in {".pyc", ".py"}:
            continue
        text = file.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
        for line in re.findall(r"pip install .*requirements.*", text):
            assert "--no-deps" in line, file
