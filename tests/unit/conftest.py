"""What no unit test may do by accident."""

from __future__ import annotations

import pytest

from lab.rdp import Greeting


@pytest.fixture(autouse=True)
def _no_desktop_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provisioning would speak RDP to the addresses that a fake made up."""

    def greet(_address: str, _port: int, *, timeout: float) -> Greeting:
        assert timeout > 0
        return Greeting(version="TLSv1.3", certificate="00")

    monkeypatch.setattr("provision.ready.greet", greet)
