"""What the groups of calls have in common: a server and the project they speak of."""

from __future__ import annotations

from lab.lxd.fork_file import end_file_server
from lab.lxd.rest import Rest


class Calls:
    """Base of each group of calls; `lab.lxd.client` puts the groups together."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._project = project
        self._here = {"project": project}

    def _host(self, name: str) -> str:
        """The instance NAME as LXD's own files call it."""
        return name if self._project == "default" else f"{self._project}_{name}"

    def _end_file_server(self, name: str) -> bool:
        """End LXD's process that serves the files of NAME; False where nobody here may."""
        return self._rest.is_local and end_file_server(self._rest.daemon(), self._host(name))
