"""ssh public keys: where they come from, and which ones are taken.

Nothing read here is ever echoed before it is known to be a public key: people paste private ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from lab.errors import InputError
from provision.keys.key_files import candidates, decoded
from provision.keys.key_urls import fetch_keys, url_of
from provision.keys.public_key import BadKey, PublicKey, looks_like_key, parse_key

MAX_BYTES = 64 * 1024
_MAKE_ONE = "Make one: ssh-keygen -t ed25519 (then give the file that ends in .pub)"
_PUTTY = (
    "Give the public key: open the file in PuTTYgen, copy the whole field\n"
    '"Public key for pasting into OpenSSH authorized_keys file" into a file, and give that file;\n'
    "or, if puttygen is installed: puttygen -L FILE.ppk >FILE.pub"
)


def read_keys(
    sources: Sequence[str],
    stdin: BinaryIO,
    *,
    warn: Callable[[str], None],
    fetch: Callable[[str], bytes] = fetch_keys,
) -> tuple[PublicKey, ...]:
    """The keys of all SOURCES, each once.

    A source is a file, `-` (STDIN), `gh:USER`, `gl:USER`, an https URL, or a key itself. Lines that
    cannot be taken are told to WARN, each with its place; InputError for a source without a key.
    """
    found: dict[bytes, PublicKey] = {}
    for source in sources:
        for key in _keys_of(source, stdin, fetch, warn):
            found.setdefault(key.blob, key)
    return tuple(found.values())


def _keys_of(
    source: str, stdin: BinaryIO, fetch: Callable[[str], bytes], warn: Callable[[str], None]
) -> tuple[PublicKey, ...]:
    source = source.removeprefix("\ufeff")
    if source == "-":
        where = "standard input"
        return _parsed(_text(stdin.read(MAX_BYTES + 1), where), where, warn)
    if looks_like_key(source):
        return _given(source, warn)
    if "\n" in source or len(source) > 1000:
        raise InputError("--key is neither a file nor an ssh public key.", fix=_MAKE_ONE)
    if url := url_of(source):
        return _parsed(_text(fetch(url), source), source, warn)
    return _parsed(_file(Path(source).expanduser(), source), source, warn)


def _given(text: str, warn: Callable[[str], None]) -> tuple[PublicKey, ...]:
    """TEXT that is itself a key."""
    where = "the key on the command line"
    _refuse_private(text, where)
    if "\n" in text.strip() and not text.lstrip().startswith("----"):
        raise InputError(
            "The key on the command line has more than one line.",
            fix="Give the key file instead: --key FILE",
        )
    return _parsed(text, where, warn)


def _file(path: Path, source: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(f"There is no key file {source}.", fix=_MAKE_ONE) from error
    except OSError as error:
        raise InputError(
            f"The key file {source} cannot be read.",
            details=error.strerror,
            fix="Check its path and its permissions.",
        ) from error
    return _text(content, source)


def _text(content: bytes, where: str) -> str:
    if len(content) > MAX_BYTES:
        raise InputError(
            f"{where} is larger than 64 KiB, so it is not a list of ssh public keys.", fix=_MAKE_ONE
        )
    try:
        return decoded(content)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where} is not text, so it is not an ssh public key.", fix=_MAKE_ONE
        ) from error


def _parsed(text: str, where: str, warn: Callable[[str], None]) -> tuple[PublicKey, ...]:
    """Every good key in TEXT; the others are told, all in one error where none is good."""
    _refuse_private(text, where)
    keys: list[PublicKey] = []
    problems: list[str] = []
    for number, found in candidates(text):
        judged = _judged(found)
        if isinstance(judged, BadKey):
            problems.append(f"{where}:{number}: {judged}")
        else:
            keys.append(judged)
    if problems and not keys:
        raise InputError("No key can be used.", details="\n".join(problems), fix=_MAKE_ONE)
    if not keys:
        raise InputError(f"There is no ssh public key in {where}.", fix=_MAKE_ONE)
    for problem_text in problems:
        warn(f"Key not used: {problem_text}")
    return tuple(keys)


def _judged(found: str | BadKey) -> PublicKey | BadKey:
    if isinstance(found, BadKey):
        return found
    try:
        return parse_key(found)
    except BadKey as problem:
        return problem


def _refuse_private(text: str, where: str) -> None:
    if "PRIVATE KEY" not in text and "PuTTY-User-Key-File" not in text:
        return
    fix = _PUTTY
    if "PuTTY-User-Key-File" not in text:
        named = not where.startswith(("the key", "standard"))
        other = f"{where}.pub" if Path(where).suffix != ".pub" else "the other file of the key pair"
        fix = f"Give the public key: {other if named else 'the .pub file'}"
    raise InputError(
        f"A private key was given ({where}). It was not used, and it is not stored.", fix=fix
    )
