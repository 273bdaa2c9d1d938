"""The code that decides what an image holds, hashed.

To record it: python -m tests.unit.pipeline_code
Recipes hash definitions, cloud-configs, scripts and the driver's code, but not this code: PIPELINE
stands for it.
"""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Final

from images.build.recipe import PIPELINE
from lab.places import ROOT

RECORDED: Final = Path(__file__).parent / "recorded/pipeline.json"
FILES: Final = (
    "images/apt_cache.py",
    "lab/instances/at_rest.py",
    "images/build/apt_login.py",
    "images/build/body.py",
    "images/build/bootstrap.py",
    "images/build/driver_layer.py",
    "images/build/packing.py",
    "images/build/scripts.py",
    "images/build/source.py",
)


def now() -> dict[str, str]:
    hashed = {file: hash_of((ROOT / file).read_text(encoding="utf-8")) for file in FILES}
    return {"PIPELINE": PIPELINE, **hashed}


def hash_of(code: str) -> str:
    """The same with other comments, docstrings, imports and layout, and with every Python."""
    return hashlib.sha256(_told(ast.parse(code)).encode()).hexdigest()[:12]


def _told(value: object) -> str:
    """Not by ast.dump: Python 3.13 leaves out empty fields, and each version adds some."""
    if isinstance(value, list):
        return ",".join(_told(each) for each in value if not _says_nothing(each))
    if isinstance(value, ast.AST):
        fields = ((name, told) for name, of in ast.iter_fields(value) if (told := _told(of)))
        return f"{type(value).__name__}({' '.join(f'{name}=[{told}]' for name, told in fields)})"
    return "" if value is None else repr(value)


def _says_nothing(statement: object) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    return isinstance(statement, ast.Import | ast.ImportFrom)


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(now(), indent=2) + "\n")
