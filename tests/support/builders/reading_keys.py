"""ssh keys as `provision` reads them from its option `--key`."""

from __future__ import annotations

import io

import pytest

from lab.errors import InputError
from provision.keys.ssh_keys import read_keys

MAKE_ONE = "Next: Make one: ssh-keygen -t ed25519 (then give the file that ends in .pub)"


def read(
    *sources: str, stdin: str | bytes = "", warned: list[str] | None = None
) -> tuple[str, ...]:
    content = stdin.encode() if isinstance(stdin, str) else stdin
    warnings: list[str] = []
    found = read_keys(sources, io.BytesIO(content), warn=warnings.append)
    # What nobody expects to be told is told to nobody.
    assert warned is not None or not warnings
    (warned if warned is not None else []).extend(warnings)
    return tuple(key.line for key in found)


def refusal(*sources: str, stdin: str | bytes = "") -> str:
    with pytest.raises(InputError) as error:
        read(*sources, stdin=stdin)
    return str(error.value)
