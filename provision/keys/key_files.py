"""What key files hold besides one-line keys: other encodings, RFC 4716, PEM. Pure."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator

from provision.keys.public_key import BadKey, type_of

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),  # Notepad
    (codecs.BOM_UTF16_LE, "utf-16-le"),  # PowerShell's `>`
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BEGIN = re.compile(r"\s*-{4,5} ?BEGIN ([A-Z0-9 ]+?) ?-{4,5}\s*")
_END = re.compile(r"\s*-{4,5} ?END [A-Z0-9 ]+? ?-{4,5}\s*")
_RFC_4716 = "SSH2 PUBLIC KEY"


def decoded(content: bytes) -> str:
    """CONTENT as text, however a Windows program wrote it; UnicodeDecodeError where it is none."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.removeprefix(mark).decode(encoding)
    # The same without a mark: every other byte of such text is nothing.
    if len(content) > 2 and 0 in content[:2]:
        return content.decode("utf-16-le" if content[1] == 0 else "utf-16-be")
    return content.decode()


def candidates(text: str) -> Iterator[tuple[int, str | BadKey]]:
    """Each line of TEXT that is meant as a key, with its number; a block in another form as one."""
    # Files that were put together have a mark where each began.
    lines = iter(enumerate(text.replace("\ufeff", "").splitlines(), start=1))
    for number, line in lines:
        begin = _BEGIN.fullmatch(line)
        if begin is None:
            if line.strip() and not line.lstrip().startswith("#"):
                yield number, line
            continue
        body: list[str] = []
        for _, inner in lines:
            if _END.fullmatch(inner):
                break
            body.append(inner)
        else:
            yield number, BadKey("the key is incomplete: its END line is missing")
            continue
        yield number, _converted(begin[1], body)


def _converted(kind: str, body: list[str]) -> str | BadKey:
    """The block in one-line form, good or bad."""
    if kind != _RFC_4716:
        how = "PKCS8" if kind == "PUBLIC KEY" else "PEM"
        return BadKey(f"not in the format of OpenSSH; convert it: ssh-keygen -i -m {how} -f FILE")
    # Headers come first: `Comment: "…"`, gone on with after a backslash at the end of a line.
    logical = "\n".join(body).replace("\\\n", "").split("\n")
    headers = [line for line in logical if ":" in line]
    data = "".join(line.strip() for line in logical if ":" not in line)
    comments = [line.split(":", 1) for line in headers if line.lower().startswith("comment:")]
    try:
        kind = type_of(base64.b64decode(data, validate=True))
    except BadKey as problem:
        return problem
    except (binascii.Error, ValueError):
        return BadKey("the key's base64 is damaged or incomplete")
    comment = comments[0][1].strip().strip('"') if comments else ""
    return f"{kind} {data} {comment}"
