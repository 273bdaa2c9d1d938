"""The other server as somebody typed it: a name of `remotes:` in lab.yaml, or a URL. Pure."""

from __future__ import annotations

from lab.errors import InputError
from lab.names import did_you_mean, quote
from lab.settings.remotes import RemoteSettings, is_url
from lab.settings.settings import Settings


def settings_of(word: str, settings: Settings) -> Settings:
    """As SETTINGS, but for the LXD of WORD. InputError where there is no such server."""
    remote = _remote(word, settings)
    own = remote.client_certificate is not None or remote.client_key is not None
    return settings.model_copy(
        update={
            "remote": remote.url,
            "client_certificate": remote.client_certificate if own else settings.client_certificate,
            "client_key": remote.client_key if own else settings.client_key,
            "server_certificate": remote.server_certificate,
            "project": remote.project,
            "pool": remote.pool,
            "network": remote.network,
            # Of this server.
            "share_paths": (),
            "shares": {},
        }
    )


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
