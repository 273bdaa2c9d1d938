"""The command about settings."""

from __future__ import annotations

import os

from invoke.context import Context

from commands.cli import command, read_settings_and_tree
from lab import console
from lab.errors import InputError
from lab.places import EXAMPLE, ROOT
from lab.settings.settings import VARIABLE, settings_path


@command(
    help={
        "json": "One JSON document on stdout.",
        "example": "Print a file with every setting as a comment, to begin with.",
    }
)
def settings(_c: Context, json: bool = False, example: bool = False) -> None:
    """Show every setting, its value, and the file and line that it comes from."""
    from commands.views import settings as view
    from lab.settings.origins import origins
    from lab.yaml.tree import Tree

    if json and example:
        raise InputError("--json and --example exclude each other.")
    if example:
        console.print_verbatim(EXAMPLE.read_text(encoding="utf-8"))
        return
    values, tree = read_settings_and_tree()
    path = settings_path(ROOT)
    found = origins(values, tree or Tree(path=path))
    named_by = VARIABLE if os.environ.get(VARIABLE) else None
    file = view.SettingsFile(path=path, exists=tree is not None, named_by=named_by)
    if json:
        console.print_json(view.document(file, found))
        return
    console.print_text(str(file))
    console.print_table("", view.COLUMNS, view.rows(file, found), empty="")
