"""Taking over instances and volumes from another LXD: the two daemons send the bytes to each other.

Whichever daemon reaches the other opens the connection. Where this program is killed, the two go on
without it, to their end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

from lab.errors import LxdError, SnapshotUnfit
from lab.lxd.errors import AGAIN, refused
from lab.lxd.instances import InstanceCalls
from lab.lxd.model import Instance, InstanceSpec
from lab.lxd.operation import Operation, ended
from lab.lxd.port import Lxd, OnProgress
from lab.lxd.rest import path
from lab.wait import poll

_OF_SNAPSHOT: Final = "Failed creating instance snapshot record"
_PORTS: Final = (
    "Open the port of core.https_address (8443 by default) from one server to the other."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    """What the other server is asked for."""

    source: ReceivingCalls
    where: str
    body: Mapping[str, Any]
    what: str
    """A verb phrase for errors: `send bob`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Receiving:
    """What this server is asked for; its `source` gets what the two need to meet."""

    where: str
    body: Mapping[str, Any]
    what: str


class ReceivingCalls(InstanceCalls):
    def receive_instance(
        self,
        source: Lxd,
        name: str,
        spec: InstanceSpec,
        *,
        refresh: bool = False,
        snapshots: bool = True,
        on_progress: OnProgress | None = None,
    ) -> Instance:
        there = _calls_of(source)
        what = f"receive {name} from {there.place}"
        raw = there.raw_instance(name)
        body = {
            "name": spec.name,
            "type": "container",
            "architecture": raw["architecture"],
            "description": spec.description,
            "config": self._possible(spec.config),
            "devices": {device: dict(keys) for device, keys in spec.devices.items()},
            "profiles": list(spec.profiles),
            "source": {
                "type": "migration",
                "base-image": spec.config.get("volatile.base_image", ""),
                "instance_only": not snapshots,
                "refresh": refresh,
            },
        }
        self._transfer(
            _Receiving(where="instances", body=body, what=what),
            _Sending(
                source=there,
                where=path("instances", name),
                # It may run: what its user writes meanwhile is for the next time.
                body={
                    "name": name,
                    "migration": True,
                    "instance_only": not snapshots,
                    # LXD takes it for true where it is not said, and wants CRIU.
                    "live": False,
                    "allow_inconsistent": True,
                },
                what=f"send {name}",
            ),
            on_progress,
        )
        return self._shown(spec.name)

    def receive_volume(
        self,
        source: Lxd,
        origin: tuple[str, str],
        pool: str,
        name: str,
        config: Mapping[str, str],
        *,
        refresh: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        there = _calls_of(source)
        what = f"receive the volume {origin[1]} from {there.place}"
        body = {
            "name": name,
            "type": "custom",
            "content_type": "filesystem",
            "config": dict(config),
            "source": {
                "type": "migration",
                "pool": origin[0],
                "name": origin[1],
                "volume_only": False,
                "refresh": refresh,
            },
        }
        self._transfer(
            _Receiving(
                where=path("storage-pools", pool, "volumes", "custom"), body=body, what=what
            ),
            _Sending(
                source=there,
                where=path("storage-pools", origin[0], "volumes", "custom", origin[1]),
                body={"name": origin[1], "migration": True},
                what=f"send the volume {origin[1]}",
            ),
            on_progress,
        )

    def wait_until_volume_idle(self, pool: str, name: str, *, timeout: float = 600) -> None:
        whole = f"/{pool}/volumes/custom/{name}"

        def idle() -> bool | None:
            found = self._rest.get(
                "operations",
                what="list its operations",
                params={**self._here, "recursion": "1"},
            )
            every = [one for group in (found or {}).values() for one in group]
            busy = any(
                url.partition("?")[0].endswith(whole)
                for one in every
                if one["status_code"] < 200
                for url in (one.get("resources") or {}).get("storage_volumes") or ()
            )
            return None if busy else True

        poll(idle, what=f"LXD's own work on the volume {name}", timeout=timeout, every=0.2)

    def _transfer(
        self, receiving: _Receiving, sending: _Sending, on_progress: OnProgress | None
    ) -> None:
        failures: list[LxdError] = []
        for begin in (self._push, self._pull):
            try:
                sent, received = begin(receiving, sending)
            except _NoWay as error:
                failures += error.causes
                continue
            self._finish_both(sending, sent, received, on_progress)
            return
        told = "\n".join(dict.fromkeys(f"{one.details or one.brief}" for one in failures))
        raise LxdError(
            f"LXD could not {receiving.what}: neither server reaches the other.",
            details=told or None,
            fix=_PORTS,
        )

    def _push(self, receiving: _Receiving, sending: _Sending) -> tuple[Operation, Operation]:
        """The other server connects to this one."""
        certificate = self._certificate()
        failures: list[LxdError] = []
        for url in self.urls():
            received = self._begin(receiving, {"mode": "push"})
            target = {
                "operation": f"{url}/1.0/operations/{received.id}",
                "certificate": certificate,
                "secrets": received.secrets,
            }
            try:
                return sending.source.begin_sending(sending, {"target": target}), received
            except LxdError as error:
                failures.append(error)
                # It waits ten seconds for a connection, then takes back what it made.
                with suppress(LxdError):
                    self._rest.finish(received)
        raise _NoWay(failures)

    def _pull(self, receiving: _Receiving, sending: _Sending) -> tuple[Operation, Operation]:
        """This server connects to the other one."""
        certificate = sending.source.certificate()
        failures: list[LxdError] = []
        for url in sending.source.urls():
            sent = sending.source.begin_sending(sending, {})
            meeting = {
                "mode": "pull",
                "operation": f"{url}/1.0/operations/{sent.id}",
                "certificate": certificate,
                "secrets": sent.secrets,
            }
            received = self._begin(receiving, meeting)
            state = self._rest.wait_once(received, 3)
            if ended(state) and state["status_code"] != 200 and _no_connection(state):
                failures.append(refused(receiving.what, state.get("err") or ""))
                with suppress(LxdError):
                    sending.source.finish_sending(sent)
                continue
            return sent, received
        raise _NoWay(failures)

    def _begin(self, receiving: _Receiving, meeting: Mapping[str, Any]) -> Operation:
        body = {**receiving.body, "source": {**receiving.body["source"], **meeting}}
        return self._rest.begin(receiving.where, body, what=receiving.what, params=self._here)

    def _finish_both(
        self,
        sending: _Sending,
        sent: Operation,
        received: Operation,
        on_progress: OnProgress | None,
    ) -> None:
        """The end of both. Of two errors that of the receiver, which says why it ended."""
        failure: LxdError | None = None
        try:
            sending.source.finish_sending(sent, on_progress)
        except LxdError as error:
            failure = error
        try:
            self._rest.finish(received)
        except LxdError as error:
            if _OF_SNAPSHOT in (error.details or ""):
                raise SnapshotUnfit(error.brief, details=error.details) from error
            raise
        if failure is not None:
            raise LxdError(failure.brief, details=failure.details, fix=failure.fix or AGAIN)

    # what the other server's calls are asked for
    @property
    def place(self) -> str:
        return str(self._rest.place)

    def raw_instance(self, name: str) -> Mapping[str, Any]:
        found = self._rest.get(path("instances", name), what=f"show {name}", params=self._here)
        return dict(found)

    def begin_sending(self, sending: _Sending, target: Mapping[str, Any]) -> Operation:
        body = {**sending.body, **target}
        return self._rest.begin(sending.where, body, what=sending.what, params=self._here)

    def finish_sending(self, sent: Operation, on_progress: OnProgress | None = None) -> None:
        self._rest.finish(sent, on_progress)

    def certificate(self) -> str:
        return self._certificate()

    def urls(self) -> tuple[str, ...]:
        """Where other servers may reach this one: first as it is reached from here."""
        return tuple(dict.fromkeys(self._urls()))

    def _urls(self) -> Iterator[str]:
        if self._rest.place.url:
            yield self._rest.place.url
        yield from (f"https://{address}" for address in self._environment().get("addresses") or ())

    def _certificate(self) -> str:
        return str(self._environment().get("certificate") or "")

    def _environment(self) -> Mapping[str, Any]:
        hello = self._rest.get("", what="report its version")
        return dict(hello.get("environment") or {})


def _calls_of(source: Lxd) -> ReceivingCalls:
    """The other server's own calls: two of one gateway understand each other."""
    return cast("ReceivingCalls", source)


class _NoWay(Exception):
    """No connection was made; nothing was changed."""

    def __init__(self, causes: list[LxdError]) -> None:
        self.causes = causes
        super().__init__()


def _no_connection(state: Mapping[str, Any]) -> bool:
    text = (state.get("err") or "").lower()
    return any(sign in text for sign in ("dial tcp", "connection refused", "no route", "x509"))
