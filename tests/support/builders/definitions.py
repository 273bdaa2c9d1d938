"""A catalog of definitions in a directory of its own."""

from pathlib import Path

import pytest

from images.templates.catalog import Catalog, load_catalog
from lab.errors import InputError

BASE = "name: base\ndescription: the ground\ncloud-init: base.yaml.j2\n"


class DefinitionFiles:
    """Definitions, templates and scripts in a directory of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("definitions", "cloud-init", "scripts"):
            (root / name).mkdir()
        (root / "cloud-init" / "base.yaml.j2").touch()
        (root / "scripts" / "setup.sh").touch()

    def write(self, name: str, text: str) -> None:
        (self.root / "definitions" / f"{name}.yaml").write_text(text)

    def child(self, name: str, more: str = "", parent: str = "base") -> None:
        head = f"name: {name}\ndescription: a child\nparent: {parent}\ncloud-init: base.yaml.j2\n"
        self.write(name, head + more)

    def load(self) -> Catalog:
        return load_catalog(
            self.root / "definitions",
            cloud_init=self.root / "cloud-init",
            scripts=self.root / "scripts",
        )

    def told(self) -> str:
        with pytest.raises(InputError) as caught:
            self.load()
        return str(caught.value)
