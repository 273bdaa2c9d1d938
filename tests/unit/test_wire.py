"""Every failure on the way to LXD, as the whole text that a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import requests_mock
from pylxd.exceptions import LXDAPIExtensionNotAvailable

from lab.errors import Conflict, LabError, LxdError, LxdUnreachable, NotFound, PoolFull, Stuck
from lab.lxd.errors import Place
from lab.lxd.model import Progress
from lab.lxd.operation import Operation, finish
from lab.lxd.rest import Rest
from lab.lxd.session import tls_session
from lab.lxd.transport import handshake, translated

URL = "https://lab.example:8443"
PLACE = Place(url=URL)
Kind = type[LabError]
HELLO = {
    "type": "sync",
    "metadata": {"auth": "trusted", "environment": {}, "api_extensions": []},
}


@pytest.fixture
def http() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        mocker.get(f"{URL}/1.0", json=HELLO)
        yield mocker


@pytest.fixture
def rest(http: requests_mock.Mocker) -> Rest:
    return Rest(handshake(PLACE, URL, tls_session(None, None)))


def failed(text: str, code: int = 400) -> dict[str, object]:
    return {"type": "error", "error": text, "error_code": code, "metadata": None}


def running(**state: object) -> dict[str, object]:
    metadata = {"id": "op", "status": "Running", "status_code": 103, "err": "", **state}
    return {"type": "sync", "metadata": metadata}


BEGUN = {"type": "async", "operation": "/1.0/operations/op", "metadata": {}}


@pytest.mark.parametrize(
    ("status", "text", "kind", "whole"),
    [
        (400, "No.", LxdError, "LXD could not publish bob.\n  No."),
        (404, "Instance not found", NotFound, "LXD could not publish bob.\n  Instance not found"),
        (409, "Taken", Conflict, "LXD could not publish bob.\n  Taken"),
        (412, "ETag doesn't match", Conflict, "LXD could not publish bob.\n  ETag doesn't match"),
        (
            400,
            "The network already exists",
            Conflict,
            "LXD could not publish bob.\n  The network already exists",
        ),
        (
            403,
            "not authorized",
            LxdUnreachable,
            "LXD could not publish bob.\n  not authorized\n"
            "Next: Copy the certificate to that server and run there: lxc config trust add "
            "client.crt\n"
            "      or, with a token from `lxc config trust add --name lab`: "
            "lxc remote add lab TOKEN",
        ),
        (
            400,
            'Instance is busy running a "stop" operation',
            LxdError,
            'LXD could not publish bob.\n  Instance is busy running a "stop" operation\n'
            "Next: Wait until it ends. See which operations run: lxc operation list --all-projects",
        ),
        (500, "disk\nfull", LxdError, "LXD could not publish bob.\n  disk\n  full"),
    ],
)
def test_a_refusal_is_told_in_lxds_words(
    *, rest: Rest, http: requests_mock.Mocker, status: int, text: str, kind: Kind, whole: str
) -> None:
    http.post(f"{URL}/1.0/images", status_code=status, json=failed(text, status))
    with pytest.raises(kind) as caught:
        rest.post("images", {}, what="publish bob")
    assert str(caught.value) == whole
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("error", "kind", "whole"),
    [
        (
            requests.ReadTimeout(),
            LxdUnreachable,
            f"LXD at {URL} did not answer within 60 s.\n  The request was to publish bob.\n"
            "Next: See which operations run: lxc operation list --all-projects",
        ),
        (
            requests.ConnectTimeout("timed out"),
            LxdUnreachable,
            "lab.example does not answer.\n"
            "Next: Check `remote` in lab.yaml, and the firewalls between here and that server",
        ),
        (
            requests.ConnectionError("Connection reset"),
            LxdUnreachable,
            f"LXD at {URL} cannot be reached.\n  Connection reset\n"
            "Next: Check `remote`, `client-certificate` and `client-key` in lab.yaml",
        ),
        (
            requests.exceptions.ChunkedEncodingError("broken off"),
            LxdUnreachable,
            f"LXD at {URL} cannot be reached.\n  broken off\n"
            "Next: Check `remote`, `client-certificate` and `client-key` in lab.yaml",
        ),
    ],
)
def test_what_requests_raises_never_leaks(
    rest: Rest, http: requests_mock.Mocker, error: Exception, kind: Kind, whole: str
) -> None:
    posted = http.post(f"{URL}/1.0/images", exc=error)
    with pytest.raises(kind) as caught:
        rest.post("images", {}, what="publish bob")
    assert str(caught.value) == whole
    # A write may have happened, whatever became of its answer.
    assert posted.call_count == 1


def test_a_read_is_repeated_once_when_the_connection_dropped(
    rest: Rest, http: requests_mock.Mocker
) -> None:
    dropped = {"exc": requests.ConnectionError("dropped")}
    read = http.get(f"{URL}/1.0/images", [dropped, {"json": {"type": "sync", "metadata": ["x"]}}])
    assert rest.get("images", what="list its images") == ["x"]
    assert read.call_count == 2
    read = http.get(f"{URL}/1.0/images", [dropped, dropped, {"json": HELLO}])
    with pytest.raises(LxdUnreachable):
        rest.get("images", what="list its images")
    assert read.call_count == 2


def test_a_read_that_times_out_is_not_repeated(rest: Rest, http: requests_mock.Mocker) -> None:
    read = http.get(f"{URL}/1.0/images", exc=requests.ReadTimeout())
    with pytest.raises(LxdUnreachable):
        rest.get("images", what="list its images")
    assert read.call_count == 1


def test_an_extension_that_is_missing_is_named() -> None:
    with pytest.raises(LxdError) as caught, translated(PLACE, "show its GPUs"):
        raise LXDAPIExtensionNotAvailable("resources")
    assert str(caught.value) == (
        "LXD could not show its GPUs.\n  LXD API extension 'resources' is not available\n"
        "Next: Install a newer LXD; see README."
    )


def test_an_operation_is_waited_for_in_slices_and_heard(
    rest: Rest, http: requests_mock.Mocker
) -> None:
    http.post(f"{URL}/1.0/images", status_code=202, json=BEGUN)
    half = running(
        metadata={"create_image_from_container_pack_progress": "Image pack: 50% (9MB/s)"}
    )
    done = running(status_code=200, status="Success", metadata={"fingerprint": "f"})
    waits = http.get(
        f"{URL}/1.0/operations/op/wait",
        [{"json": running(metadata=None)}, {"json": half}, {"json": half}, {"json": done}],
    )
    heard: list[Progress] = []
    made = rest.post("images", {}, what="publish bob", on_progress=heard.append)
    assert made == {"fingerprint": "f"}
    assert heard == [Progress(text="Image pack: 50% (9MB/s)", percent=50)]
    assert [request.qs["timeout"] for request in waits.request_history] == [["1"]] * 4


@pytest.mark.parametrize(
    ("state", "kind", "whole"),
    [
        (
            {"status": "Failure", "status_code": 400, "err": "no space left on device"},
            PoolFull,
            "LXD could not publish bob.\n  no space left on device\n"
            "Next: Free space in the storage pool (invoke prune-images) or enlarge it.",
        ),
        (
            {
                "status": "Failure",
                "status_code": 400,
                "err": 'This "instances" entry already exists',
            },
            Conflict,
            'LXD could not publish bob.\n  This "instances" entry already exists',
        ),
        (
            {"status": "Cancelled", "status_code": 401, "err": ""},
            LxdError,
            "LXD could not publish bob.\n  The operation ended as: Cancelled",
        ),
    ],
)
def test_an_operation_that_fails_is_an_error(
    rest: Rest, http: requests_mock.Mocker, state: dict[str, object], kind: Kind, whole: str
) -> None:
    http.post(f"{URL}/1.0/images", status_code=202, json=BEGUN)
    http.get(f"{URL}/1.0/operations/op/wait", json=running(**state))
    with pytest.raises(kind) as caught:
        rest.post("images", {}, what="publish bob")
    assert str(caught.value) == whole


def test_an_operation_that_lxd_forgot_is_not_a_missing_object(
    rest: Rest, http: requests_mock.Mocker
) -> None:
    http.post(f"{URL}/1.0/images", status_code=202, json=BEGUN)
    http.get(
        f"{URL}/1.0/operations/op/wait", status_code=404, json=failed("Operation not found", 404)
    )
    with pytest.raises(LxdError) as caught:
        rest.post("images", {}, what="publish bob")
    assert type(caught.value) is LxdError
    assert str(caught.value) == (
        "LXD could not publish bob.\n"
        "  It no longer knows the operation: LXD may have been restarted meanwhile.\n"
        "Next: Run the same command again."
    )


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (
            lambda http: http.get(f"{URL}/1.0", text="<html>Welcome</html>"),
            f"The server at {URL} is not LXD.\n  It sent: <html>Welcome</html>\n"
            "Next: Check `remote` in lab.yaml",
        ),
        (
            lambda http: http.get(f"{URL}/1.0", status_code=404, text="no such page"),
            f"The server at {URL} is not LXD.\n  no such page\nNext: Check `remote` in lab.yaml",
        ),
        (
            lambda http: http.get(f"{URL}/1.0", json={"type": "sync"}),
            f"The server at {URL} is not LXD.\n  KeyError: 'metadata'\n"
            "Next: Check `remote` in lab.yaml",
        ),
    ],
)
def test_something_else_answers(
    http: requests_mock.Mocker, answer: Callable[[requests_mock.Mocker], object], whole: str
) -> None:
    answer(http)
    with pytest.raises(LxdUnreachable) as caught:
        handshake(PLACE, URL, tls_session(None, None))
    assert str(caught.value) == whole


def test_a_certificate_that_is_not_trusted_is_named(http: requests_mock.Mocker) -> None:
    http.get(f"{URL}/1.0", json={**HELLO, "metadata": {"auth": "untrusted"}})
    place = Place(url=URL, client_certificate=Path("/home/bob/client.crt"))
    with pytest.raises(LxdUnreachable) as caught:
        handshake(place, URL, tls_session(None, None))
    assert str(caught.value) == (
        f"LXD at {URL} does not trust the certificate /home/bob/client.crt.\n"
        "Next: Copy the certificate to that server and run there: lxc config trust add client.crt\n"
        "      or, with a token from `lxc config trust add --name lab`: "
        "lxc remote add lab TOKEN"
    )


def test_an_operation_that_takes_too_long_names_where_to_look() -> None:
    times = iter((0.0, 1.0, 9.0))
    with pytest.raises(Stuck) as caught:
        finish(
            Operation(id="op", what="start bob"),
            lambda _seconds: {"status_code": 103},
            None,
            timeout=5,
            clock=lambda: next(times),
        )
    assert str(caught.value) == (
        "LXD timed out after 5 s trying to start bob.\n"
        "Next: See which operations run: lxc operation list --all-projects"
    )
