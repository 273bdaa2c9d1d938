"""The password of a proxy: used, and to be seen by no other account and in no image."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.live_lab.auth_proxy import auth_proxy
from tests.support.live_lab.lab import ROOT, lxc, query
from tests.support.live_lab.tiny import PROJECT, Tiny, litter

pytestmark = pytest.mark.plain

# What a shell, a URL and apt's file would each write in another way.
PASSWORD = "S3cr/t@of:the$lab"
SPELLINGS = tuple(one.encode() for one in (PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD)))


def in_sight(content: bytes) -> bool:
    return any(one in content for one in SPELLINGS)


def test_it_builds_an_image_and_is_nowhere_in_it(tiny: Tiny, tmp_path: Path) -> None:
    for template in (ROOT / "cloud-init").glob("*.j2"):
        shutil.copy(template, tiny.directory / "cloud-init")
    tiny.define(
        **{"cloud-init": "base.yaml.j2"},
        options={"build-essential": False},
        packages=["hello"],
    )
    source = json.loads(tiny.lab.settings.read_text())["source"]
    with auth_proxy(PASSWORD) as proxy, watched() as seen:
        tiny.set(source=source, proxy=proxy.url)
        said = tiny.lab.succeed("build-images", "--no-smoke")
        rendered = tiny.lab.succeed("render", "tiny")
        assert any("/hello_" in path for path in proxy.asked)
    assert seen == []
    assert not in_sight((said.out + said.err + rendered.out).encode())
    assert not in_sight(tiny.kept_log().encode())
    modes = [path.stat().st_mode & 0o077 for path in (tiny.lab.root / "logs", newest(tiny))]
    assert modes == [0, 0]
    known = [
        query("/1.0/images?recursion=1"),
        query(f"/1.0/instances?recursion=1&project={PROJECT}"),
    ]
    assert not in_sight(json.dumps(known).encode())
    lxc("image", "export", str(tiny.release()), str(tmp_path / "image"))
    assert not in_file(tmp_path / "image.tar")
    # Users have the proxy, and need a password of their own.
    assert f"//{proxy.url.partition('@')[2]}".encode() in (tmp_path / "image.tar").read_bytes()
    assert litter() == []


def newest(tiny: Tiny) -> Path:
    logs = (tiny.lab.root / "logs").glob("tiny-*.log")
    return max(logs, key=lambda path: path.stat().st_mtime_ns)


def in_file(path: Path) -> bool:
    """Also across the border of two pieces."""
    kept = b""
    with path.open("rb") as file:
        while piece := file.read(1 << 24):
            if in_sight(kept + piece):
                return True
            kept = piece[-100:]
    return False


@contextmanager
def watched() -> Iterator[list[str]]:
    """The processes whose arguments showed the password, or whose environment did to others."""
    seen: list[str] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            seen.extend(showing())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def showing() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            arguments = (process / "cmdline").read_bytes()
            environment = process / "environ"
            if in_sight(arguments) or (
                environment.stat().st_uid != 0 and in_sight(environment.read_bytes())
            ):
                yield arguments.replace(b"\0", b" ").decode(errors="replace")
