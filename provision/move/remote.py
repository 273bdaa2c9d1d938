"""The other server as somebody typed it: a name of `remotes:` in lab.yaml, or a URL. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.errors import InputError, LabError, LxdUnreachable
from lab.names import did_you_mean, quote
from lab.settings.remotes import RemoteSettings, is_url
from lab.settings.settings import Settings


def settings_of(word: str, settings: Settings) -> Settings:
    """As SETTINGS, but for the LXD of WORD. InputError where there is no such server."""
    remote = _remote(word, settings)
    own = remote.client_certificate is not None or remote.client_key is not None
    return settings.model_copy(update=_there(remote if own else _with_ours(remote, settings)))


@contextmanager
def told_of(word: str) -> Iterator[None]:
    """Name WORD in each error about that server, or about what lab.yaml says of it."""
    try:
        yield
    except (InputError, LxdUnreachable) as error:
        raise _of_it(word, error) from error


def _of_it(word: str, error: LabError) -> LabError:
    fix = error.fix or ""
    if is_url(word):
        fix = fix.replace("`remote` in lab.yaml", "the URL")
    else:
        fix = fix.replace("`remote`", "`url`")
        fix = fix.replace("in lab.yaml", f"of {word} below `remotes:` in lab.yaml")
    brief = error.brief if word in error.brief else f"{word}: {error.brief}"
    return type(error)(brief, details=error.details, fix=fix or None)


def _with_ours(remote: RemoteSettings, settings: Settings) -> RemoteSettings:
    """Known to it by the certificate of this lab."""
    fields = type(remote).model_fields.keys() & type(settings).model_fields.keys()
    ours = {name: getattr(settings, name) for name in fields if name.startswith("client")}
    return remote.model_copy(update=ours)


def _there(remote: RemoteSettings) -> dict[str, object]:
    """Of shares, which are directories of this server, none."""
    own = {name: value for name, value in remote if name != "url"}
    none = {name: value for name, value in Settings() if name.startswith("share")}
    return {**own, **none, "remote": remote.url}


def _remote(word: str, settings: Settings) -> RemoteSettings:
    if is_url(word):
        return RemoteSettings(url=word)
    if word not in settings.remotes:
        there = ", ".join(sorted(settings.remotes)) or "none"
        raise InputError(
            f"There is no server {quote(word)}{did_you_mean(word, settings.remotes)}.",
            details=f"lab.yaml has under `remotes:`: {there}.",
            fix="Write it into `remotes:` in lab.yaml, or give its URL: https://HOST:8443",
        )
    return settings.remotes[word]
