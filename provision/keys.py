"""ssh public keys: where they come from, and which ones are taken.

Nothing read here is ever echoed before it is known to be a public key: people paste private ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from lab.errors import InputError
from provision.fetch import fetch_keys, url_of
from provision.publickey import BadKey, looks_like_key, parse_key

MAX_BYTES = 64 * 1024
_MAKE_ONE = "Make one: ssh-keygen -t ed25519 (the file that ends in .pub is to be given)"


def read_keys(
    sources: Sequence[str],
    stdin: TextIO,
    *,
    fetch: Callable[[str], bytes] = fetch_keys,
) -> tuple[str, ...]:
    """The keys of all SOURCES, each once, as `TYPE BASE64 [COMMENT]`.

    A source is a file, `-` (STDIN), `gh:USER`, `gl:USER`, an https URL, or a key itself.
    """
    found: dict[str, str] = {}
    for source in sources:
        for key in _keys_of(source, stdin, fetch):
            found.setdefault(key.split()[1], key)
    return tuple(found.values())


def _keys_of(source: str, stdin: TextIO, fetch: Callable[[str], bytes]) -> tuple[str, ...]:
    if source == "-":
        return _parsed(stdin.read(MAX_BYTES + 1), "standard input")
    if looks_like_key(source):
        return _given(source)
    if "\n" in source or len(source) > 1000:
        raise InputError("--key is neither a file nor an ssh public key.", fix=_MAKE_ONE)
    if url := url_of(source):
        return _parsed(_text(fetch(url), source), source)
    return _parsed(_file(Path(source).expanduser(), source), source)


def _given(text: str) -> tuple[str, ...]:
    """TEXT that is itself a key."""
    where = "the key on the command line"
    _refuse_private(text, where)
    if "\n" in text.strip():
        raise InputError(
            "The key on the command line goes over more than one line.",
            fix="A public key is one line; give the file that it came from instead.",
        )
    return _parsed(text, where)


def _file(path: Path, source: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(f"There is no key file {source}.", fix=_MAKE_ONE) from error
    except OSError as error:
        raise InputError(
            f"The key file {source} cannot be read.", details=error.strerror
        ) from error
    return _text(content, source)


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not text, so no ssh public key.", fix=_MAKE_ONE) from error


def _parsed(text: str, where: str) -> tuple[str, ...]:
    """Every key in TEXT; all bad lines at once in one error."""
    _refuse_private(text, where)
    if len(text) > MAX_BYTES:
        raise InputError(f"{where} is larger than 64 KiB, so no list of ssh public keys.")
    keys: list[str] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            keys.append(parse_key(line).line)
        except BadKey as problem:
            problems.append(f"{where}:{number}: {problem}")
    if problems:
        raise InputError("Not every key can be used.", details="\n".join(problems))
    if not keys:
        raise InputError(f"There is no ssh public key in {where}.", fix=_MAKE_ONE)
    return tuple(keys)


def _refuse_private(text: str, where: str) -> None:
    if "PRIVATE KEY" in text or "PuTTY-User-Key-File" in text:
        public = f"{where}.pub" if Path(where).suffix != ".pub" else "the other file of the pair"
        shown = public if not where.startswith(("the key", "standard")) else "the .pub file"
        raise InputError(
            f"A private key was given ({where}). It was not used and goes nowhere.",
            fix=f"Give the public one: {shown}",
        )
