"""The fake's files as directories of this machine, where a test gives it room for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.support.fake_lxd.store import FakeCalls, FakeFile, FakeVolume


class FakeLocalFiles(FakeCalls):
    def root_files(self, pool: str, name: str, snapshot: str | None = None) -> Path | None:
        found = self.store.instances.get((self._project, name))
        if found is None or (snapshot is not None and snapshot not in found.kept):
            return None
        files = found.files if snapshot is None else found.kept[snapshot].files
        return self._laid_out(f"containers/{self._project}_{name}", snapshot, files)

    def volume_files(self, pool: str, name: str, snapshot: str | None = None) -> Path | None:
        if (pool, name) not in self.store.volumes:
            return None
        found = self.store.contents.get((pool, name), FakeVolume())
        if snapshot is not None and snapshot not in found.kept:
            return None
        files = found.files if snapshot is None else found.kept[snapshot].files
        return self._laid_out(f"custom/{name}", snapshot, files)

    def _laid_out(
        self, place: str, snapshot: str | None, files: Mapping[str, FakeFile]
    ) -> Path | None:
        if self.store.disk is None:
            return None
        top = self.store.disk / place / (snapshot or "now")
        top.mkdir(parents=True, exist_ok=True)
        for name, file in files.items():
            path = top / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        # The fake knows no times.
        for each in (*sorted(top.rglob("*"), reverse=True), top):
            os.utime(each, (0, 0))
        return top
