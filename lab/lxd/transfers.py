"""Two daemons that send each other the bytes of an instance or a volume.

Whichever reaches the other opens the connection. Where this program is killed, the two go on
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
from lab.lxd.operation import Operation, ended
from lab.lxd.port import Lxd, OnProgress
from lab.lxd.rest import path

_OF_SNAPSHOT: Final = "Failed creating instance snapshot record"
_PORTS: Final = (
    "Open the port of core.https_address (8443 by default) from one server to the other."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What the other server is asked for."""

    source: TransferCalls
    where: str
    body: Mapping[str, Any]
    what: str
    """A verb phrase for errors: `send bob`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """What this server is asked for; its `source` gets what the two need to meet."""

    where: str
    body: Mapping[str, Any]
    what: str


class TransferCalls(InstanceCalls):
    _pulls = False
    """Whether this server had to connect to the other one, the last time."""

    def transfer(
        self, receiving: Receiving, sending: Sending, on_progress: OnProgress | None
    ) -> None:
        failures: list[LxdError] = []
        ways = (self._pull, self._push) if self._pulls else (self._push, self._pull)
        for begin in ways:
            try:
                sent, received = begin(receiving, sending)
            except _NoWay as error:
                failures += error.causes
                continue
            # To find out that there is no way takes ten seconds and more, and of the next transfer
            # somebody may be waiting for the end.
            self._pulls = begin == self._pull
            self._finish_both(sending, sent, received, on_progress)
            return
        told = "\n".join(dict.fromkeys(f"{one.details or one.brief}" for one in failures))
        raise LxdError(
            f"LXD could not {receiving.what}: neither server reaches the other.",
            details=told or None,
            fix=_PORTS,
        )

    def _push(self, receiving: Receiving, sending: Sending) -> tuple[Operation, Operation]:
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

    def _pull(self, receiving: Receiving, sending: Sending) -> tuple[Operation, Operation]:
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

    def _begin(self, receiving: Receiving, meeting: Mapping[str, Any]) -> Operation:
        body = {**receiving.body, "source": {**receiving.body["source"], **meeting}}
        return self._rest.begin(receiving.where, body, what=receiving.what, params=self._here)

    def _finish_both(
        self,
        sending: Sending,
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

    def begin_sending(self, sending: Sending, target: Mapping[str, Any]) -> Operation:
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


def calls_of(source: Lxd) -> TransferCalls:
    """The other server's own calls: two of one gateway understand each other."""
    return cast("TransferCalls", source)


class _NoWay(Exception):
    """No connection was made; nothing was changed."""

    def __init__(self, causes: list[LxdError]) -> None:
        self.causes = causes
        super().__init__()


def _no_connection(state: Mapping[str, Any]) -> bool:
    text = (state.get("err") or "").lower()
    return any(sign in text for sign in ("dial tcp", "connection refused", "no route", "x509"))
