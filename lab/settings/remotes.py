"""`remotes:` in lab.yaml: the LXDs of other servers, which containers can be moved to."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from lab.yaml.model import LocalPath, StrictModel, Word, value_error

_URL: Final = re.compile(r"https://[A-Za-z0-9.:\[\]-]+", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}", re.ASCII)


def is_url(text: str) -> bool:
    return _URL.fullmatch(text) is not None


def _url(value: str) -> str:
    if not is_url(value):
        raise value_error("must be a URL such as https://lab2.example:8443")
    return value.rstrip("/")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or value == "local":
        raise value_error("must be a short word of lower-case letters, digits and dashes")
    return value


RemoteName = Annotated[str, AfterValidator(_name)]


class RemoteSettings(StrictModel):
    """Another server. What is not set is as for this one, or as that server's default profile."""

    url: Annotated[str, AfterValidator(_url)]
    client_certificate: LocalPath | None = None
    client_key: LocalPath | None = None
    server_certificate: LocalPath | None = None
    project: Word = "default"
    pool: Word | None = None
    network: Word | None = None
