"""The wire to LXD: requests go out, failures come back as our errors.

The only importer of pylxd. Its models are not used: they go stale, send no ETag and lose output
(docs/decisions.md); its client greets the daemon, its API nodes send and judge the requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pylxd
import requests
from pylxd.exceptions import (
    ClientConnectionFailed,
    LXDAPIException,
    LXDAPIExtensionNotAvailable,
)
from pylxd.exceptions import NotFound as NoSuchPage
from urllib3.exceptions import HTTPError, ReadTimeoutError

from lab.errors import LxdError
from lab.lxd.errors import Place, not_lxd, refused, silent, unreachable, untrusted
from lab.lxd.session import CONNECT_TIMEOUT, READ_TIMEOUT, dial, host_of
from lab.lxd.websocket import NotAWebSocket, WebSocket

Params = Mapping[str, str]


class Transport:
    """A connection that several threads may share."""

    def __init__(self, client: Any, place: Place) -> None:
        self._api = client.api
        self.place = place

    def send(
        self,
        method: str,
        path: str,
        *,
        what: str,
        params: Params | None = None,
        read_timeout: float = READ_TIMEOUT,
        **rest: Any,
    ) -> Any:
        """One request, never repeated; the response, when it is a good one."""
        node = self._api[path] if path else self._api
        with translated(self.place, what, read_timeout):
            # pylxd adds to the parameters it is given, hence the copy.
            return getattr(node, method)(
                params=dict(params or {}), timeout=(CONNECT_TIMEOUT, read_timeout), **rest
            )

    def read(self, path: str, *, what: str, **rest: Any) -> Any:
        """GET, once more if the connection broke."""
        return _once_more_if_dropped(lambda: self.send("get", path, what=what, **rest))

    @contextmanager
    def stream(
        self, path: str, *, what: str, params: Params | None, read_timeout: float = READ_TIMEOUT
    ) -> Iterator[Any]:
        """A response whose body is still to be read; failures on the way are told as ours."""
        with (
            translated(self.place, what, read_timeout),
            _once_more_if_dropped(
                lambda: self.send(
                    "get", path, what=what, params=params, read_timeout=read_timeout, stream=True
                )
            ) as response,
        ):
            yield response

    def websocket(self, path: str, *, what: str) -> WebSocket:
        """A connection of its own, for what goes both ways at once."""
        try:
            made = WebSocket(dial(self.place, self._api.session.cert))
        except OSError as error:
            raise unreachable(self.place, error) from error
        try:
            made.begin(host_of(self.place), path)
        except NotAWebSocket as error:
            made.close()
            raise refused(what, f"It opened no WebSocket: {error}") from error
        except OSError as error:
            made.close()
            raise unreachable(self.place, error) from error
        return made

    def read_any(
        self,
        path: str,
        *,
        what: str,
        params: Params | None,
        headers: Mapping[str, str],
        method: str = "GET",
        read_timeout: float = READ_TIMEOUT,
    ) -> Any:
        """The response whatever its status: pylxd's nodes take a 206 for a failure.

        Its body is still to be read.
        """

        def ask() -> Any:
            with translated(self.place, what, read_timeout):
                return self._api.session.request(
                    method,
                    f"{self._api._api_endpoint}/{path}",  # noqa: SLF001 - no public name
                    params=params,
                    headers=headers,
                    timeout=(CONNECT_TIMEOUT, read_timeout),
                    stream=True,
                )

        return _once_more_if_dropped(ask)


def handshake(place: Place, endpoint: str, session: requests.Session) -> Transport:
    """Connect to the daemon at ENDPOINT, and make sure that it trusts us."""
    try:
        with translated(place, "report its version"):
            client = pylxd.Client(
                endpoint=endpoint, session=session, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
            )
            trusted = client.trusted
    except (ValueError, KeyError, TypeError) as error:
        raise not_lxd(place, f"{type(error).__name__}: {error}") from error
    except LxdError as error:
        # An HTTP server that is not LXD has no /1.0, or has something else there.
        if type(error.__cause__) in {LXDAPIException, NoSuchPage}:
            raise not_lxd(place, error.details or "") from error
        raise
    if not trusted:
        raise untrusted(place)
    return Transport(client, place)


@contextmanager
def translated(place: Place, what: str, read_timeout: float = READ_TIMEOUT) -> Iterator[None]:
    """Turn exceptions of pylxd and requests into our errors."""
    try:
        yield
    except LXDAPIException as error:
        raise refused(what, str(error), status=error.response.status_code) from error
    except LXDAPIExtensionNotAvailable as error:
        raise LxdError(
            f"LXD could not {what}.", details=str(error), fix="Install a newer LXD; see README."
        ) from error
    except ClientConnectionFailed as error:
        raise unreachable(place, error) from error
    except requests.exceptions.JSONDecodeError as error:
        raise not_lxd(place, f"It sent: {error.doc[:200]}") from error
    except requests.ReadTimeout as error:
        raise silent(place, what, read_timeout) from error
    except requests.ConnectionError as error:
        # In mid-body, a read that takes too long is told as a broken connection.
        if any(isinstance(cause, ReadTimeoutError) for cause in error.args):
            raise silent(place, what, read_timeout) from error
        raise unreachable(place, error) from error
    except ReadTimeoutError as error:
        raise silent(place, what, read_timeout) from error
    except (requests.RequestException, HTTPError) as error:
        raise unreachable(place, error) from error


def _once_more_if_dropped(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except LxdError as error:
        # A connection that idled too long dies with the next request on it. Reading again is
        # harmless; writing again is not.
        dropped = isinstance(error.__cause__, requests.ConnectionError)
        if not dropped or isinstance(error.__cause__, requests.Timeout):
            raise
    return ask()
