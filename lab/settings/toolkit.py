"""`nvidia-container-toolkit:` in lab.yaml: the apt source that it is installed from."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, model_validator

from lab.yaml.model import LocalPath, PublicUrl, StrictModel, Word, value_error

_SUITE: Final = re.compile(r"/|[A-Za-z0-9][A-Za-z0-9._/-]*", re.ASCII)


def _suite(value: str) -> str:
    if not _SUITE.fullmatch(value):
        raise value_error('must be a suite such as stable, or "/" for a repository without suites')
    return value


class Toolkit(StrictModel):
    """A signed apt source; the defaults are those of a repository without suites, as NVIDIA's."""

    url: PublicUrl
    suite: Annotated[str, AfterValidator(_suite)] = "/"
    components: tuple[Word, ...] = ()
    key: LocalPath | None = None
    """A file with the keys that sign it, armoured or not."""
    key_url: PublicUrl | None = None
    """The same, fetched in the builder."""

    @model_validator(mode="after")
    def _whole(self) -> Toolkit:
        if (self.key is None) == (self.key_url is None):
            raise value_error("needs either key (a file) or key-url: apt refuses unsigned packages")
        if self.suite.endswith("/") and self.components:
            raise value_error("a suite that ends with / has no components; remove them")
        if not self.suite.endswith("/") and not self.components:
            raise value_error("a suite needs components, such as [main]")
        return self
