"""What the groups of calls have in common: a server and the project they speak of."""

from __future__ import annotations

from lab.lxd.rest import Rest


class Calls:
    """Base of each group of calls; `lab.lxd.client` puts the groups together."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._project = project
        self._here = {"project": project}
