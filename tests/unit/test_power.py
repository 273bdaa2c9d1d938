"""What becomes of an instance that LXD could not start."""

from __future__ import annotations

import pytest
import requests_mock

from lab.errors import InstanceCorrupted, LxdError
from lab.lxd.errors import Place
from lab.lxd.power import PowerCalls
from lab.lxd.rest import Rest
from lab.lxd.session import tls_session
from lab.lxd.transport import handshake

URL = "https://lab.example:8443"
HELLO = {"auth": "trusted", "environment": {}, "api_extensions": []}


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        (
            "Failed to handle idmapped storage: Failed to change ownership of: /pool/bob/rootfs/x",
            InstanceCorrupted,
        ),
        ("Failed preparing container for start", LxdError),
    ],
)
def test_one_whose_files_were_half_given_away_is_spoiled(why: str, kind: type[LxdError]) -> None:
    bob = f"{URL}/1.0/instances/bob"
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/1.0", json={"type": "sync", "metadata": HELLO})
        http.get(bob, json={"type": "sync", "metadata": {"name": "bob", "status": "Stopped"}})
        http.put(f"{bob}/state", status_code=400, json={"type": "error", "error": why})
        http.get(f"{bob}/logs/lxc.log", text="the instance's own log")
        rest = Rest(handshake(Place(url=URL), URL, tls_session(None, None)))
        with pytest.raises(LxdError) as caught:
            PowerCalls(rest, "default").start("bob")
    assert type(caught.value) is kind
    assert str(caught.value) == (f"LXD could not start bob.\n  {why}\n  the instance's own log")
