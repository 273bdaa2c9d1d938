"""Keys that people keep on the web: `gh:USER`, `gl:USER`, https URLs."""

from __future__ import annotations

import re
import time

import requests

from lab.errors import InputError

_LIMIT = 64 * 1024
_SECONDS = 10
_SAVE = "Save the keys in a file and give its path: --key FILE"
_SITES = {"gh": "https://github.com/{}.keys", "gl": "https://gitlab.com/{}.keys"}
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


def url_of(source: str) -> str | None:
    """The address that SOURCE means; None where it means none."""
    site, colon, user = source.partition(":")
    if colon and site in _SITES:
        if not _USER.fullmatch(user):
            raise InputError(f"{source!r} contains no user name.", fix=f"Write it as {site}:alice")
        return _SITES[site].format(user)
    if source.startswith("http://"):
        raise InputError(
            f"Keys are not accepted over plain http: {source}",
            fix="Use its https address, or save the file and give its path.",
        )
    return source if source.startswith("https://") else None


def fetch_keys(url: str) -> bytes:
    """What URL holds; at most 64 KiB, within 10 seconds, and never by way of plain http."""
    deadline = time.monotonic() + _SECONDS
    content = bytearray()
    try:
        with requests.get(url, timeout=_SECONDS, stream=True) as answer:
            _check(answer, url)
            for piece in answer.iter_content(8192):
                content += piece
                if len(content) > _LIMIT:
                    raise InputError(
                        f"{url} is larger than 64 KiB, so it is not a list of ssh keys.",
                        fix=_SAVE,
                    )
                if time.monotonic() > deadline:
                    raise InputError(f"{url} timed out after {_SECONDS} s.", fix=_SAVE)
    except requests.RequestException as error:
        raise InputError(
            f"The keys at {url} cannot be fetched.",
            details=_reason(error),
            fix=_SAVE,
        ) from error
    return bytes(content)


def _check(answer: requests.Response, url: str) -> None:
    hops = [*(hop.url for hop in answer.history), answer.url]
    if not all(hop.startswith("https://") for hop in hops):
        raise InputError(
            f"{url} redirects to plain http; keys are accepted over https only.", fix=_SAVE
        )
    if answer.status_code != requests.codes.ok:
        raise InputError(
            f"The keys at {url} cannot be fetched.",
            details=f"The server answered {answer.status_code} {answer.reason}.",
            fix="Check the user name or the address.",
        )


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return f"No answer within {_SECONDS} s."
    if isinstance(error, requests.exceptions.SSLError):
        return "The server's certificate is not trusted."
    if isinstance(error, requests.ConnectionError):
        return "The server cannot be reached."
    return str(error)
