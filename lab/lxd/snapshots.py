"""An instance's snapshots: of its root, config and devices; custom volumes are not in them."""

from __future__ import annotations

from contextlib import suppress

from lab.errors import LxdError, NotFound
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.changes import when_free
from lab.lxd.model import Snapshot
from lab.lxd.rest import path


class SnapshotCalls(Calls):
    def snapshots(self, name: str) -> tuple[str, ...]:
        return tuple(one.name for one in self.snapshots_in_full(name))

    def snapshots_in_full(self, name: str) -> tuple[Snapshot, ...]:
        found = self._rest.get(
            path("instances", name, "snapshots"),
            what=f"list the snapshots of {name}",
            params={**self._here, "recursion": "1"},
        )
        return parse.snapshots(found or ())

    def create_snapshot(self, name: str, snapshot: str) -> None:
        when_free(
            lambda: self._rest.post(
                path("instances", name, "snapshots"),
                {"name": snapshot, "stateful": False},
                what=f"take the snapshot {snapshot} of {name}",
                params=self._here,
            )
        )

    def restore_snapshot(self, name: str, snapshot: str) -> None:
        what = f"restore {name} from its snapshot {snapshot}"
        try:
            when_free(
                lambda: self._rest.put(
                    path("instances", name), {"restore": snapshot}, what=what, params=self._here
                )
            )
        except NotFound:
            raise
        except LxdError as error:
            # An operation fails without a code; and a pool may be what lacks something.
            if snapshot in self.snapshots(name):
                raise
            raise NotFound(error.brief, details=error.details) from error

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        with suppress(NotFound):
            when_free(
                lambda: self._rest.delete(
                    path("instances", name, "snapshots", snapshot),
                    what=f"delete the snapshot {snapshot} of {name}",
                    params=self._here,
                )
            )
