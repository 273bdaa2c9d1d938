"""Nobody is given a release, or a start, that could not use its GPUs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from commands.provisioning import Stamp, stamp_or_build
from commands.views import containers
from lab.driver.delivery import Delivery
from lab.errors import CapacityError
from lab.gpu_selection import parse_selection
from lab.lxd.model import State
from lab.machine import lock
from lab.report import Silent
from lab.settings.settings import Settings
from provision import lifecycle, listing
from provision.create.drift import DriftError
from provision.create.provision import Provisioned
from tests.support.builders.four_gpus import FOUR, uuid
from tests.support.builders.four_gpus import gpu as a_gpu
from tests.support.builders.gpu_lab import A, D, a_gpu_lab
from tests.support.builders.stamping import BASE, banner, bob, hasty, publish, stamp
from tests.support.fake_lxd.lxd import FakeLxd

OLD, NEW = "535.261.03", "550.163.01"


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    """A host at OLD, with base for OLD."""
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return a_gpu_lab(OLD)


def update_host(lxd: FakeLxd, version: str | None) -> None:
    lxd.host_gpus = tuple(replace(gpu, driver=version) for gpu in lxd.host_gpus)


def gpus(text: str) -> dict[str, object]:
    return {"gpus": parse_selection(text)}


def delivered(how: str) -> Settings:
    return Settings.model_validate({"driver": {"delivery": how}})


def test_a_release_that_drifts_is_given_to_nobody(lxd: FakeLxd) -> None:
    update_host(lxd, NEW)
    for wish in ("1", "none"):
        with pytest.raises(DriftError) as error:
            stamp(lxd, bob(**gpus(wish)))
    assert error.value.exit_code == 2
    assert error.value.template == "base"
    assert str(error.value) == (
        f"The release base 20261121.1 is for driver {OLD}, the host runs {NEW}.\n"
        "  In a container made from it, nvidia-smi fails: Driver/library version mismatch.\n"
        "Next: invoke build-images --only base\n"
        "      (with `driver: {on-drift: build}` in lab.yaml, provision does that by itself)"
    )
    assert lxd.changes == []


def test_a_release_without_userland_is_for_those_without_gpus(lxd: FakeLxd) -> None:
    publish(lxd, BASE)
    with pytest.raises(DriftError) as error:
        stamp(lxd, bob(**gpus("1")))
    assert error.value.brief == (
        f"The release base 20261121.1 has no NVIDIA driver, the host runs driver {OLD}."
    )
    stamp(lxd, bob(**gpus("none")))


def test_a_lab_that_delivers_nothing_is_left_alone(lxd: FakeLxd) -> None:
    publish(lxd, BASE)
    update_host(lxd, NEW)
    done = stamp(lxd, bob(**gpus("1")), settings=delivered("none"))
    assert done.summary is not None
    assert (done.summary["gpus"], done.summary["drift"]) == ([A], False)


def test_a_template_may_want_its_userland_in_another_way(lxd: FakeLxd) -> None:
    publish(lxd, replace(BASE, needs=replace(BASE.needs, delivery=Delivery.NONE)))
    stamp(lxd, bob(**gpus("1")))
    assert lxd.store.instances["default", "bob"].config["user.lab.delivery"] == "none"
    done = stamp(lxd, bob(keys=(), only_gpus=True, **gpus("2")))
    assert done.summary is not None
    assert (done.summary["delivery"], done.summary["drift"]) == ("none", False)


def test_what_is_baked_in_counts_whatever_the_lab_delivers(lxd: FakeLxd) -> None:
    update_host(lxd, NEW)
    with pytest.raises(DriftError):
        stamp(lxd, bob(**gpus("1")), settings=delivered("none"))


def test_an_injected_userland_needs_none_in_the_release(lxd: FakeLxd) -> None:
    server = lxd.store.server
    lxd.store.server = replace(server, api_extensions=server.api_extensions | {"nvidia_runtime"})
    update_host(lxd, NEW)
    with pytest.raises(DriftError):
        stamp(lxd, bob(**gpus("1")), settings=delivered("runtime"))
    publish(lxd, BASE)
    done = stamp(lxd, bob(**gpus("1")), settings=delivered("runtime"))
    assert ("driver", f"{NEW}, from the host") in containers.of_stamped(done)[1]


def test_gpus_without_a_driver_are_no_use(lxd: FakeLxd) -> None:
    update_host(lxd, None)
    with pytest.raises(CapacityError) as error:
        stamp(lxd, bob(**gpus("1")))
    assert str(error.value) == (
        "The host has NVIDIA GPUs, but their driver is not loaded.\n"
        "  A container would get GPUs that do not work.\n"
        "Next: Find the cause: invoke host.check\n"
        "      Make the container now without a GPU: --gpus none"
    )
    stamp(lxd, bob(**gpus("none")))


def test_a_gpu_is_refused_before_anything_is_built_for_it(lxd: FakeLxd) -> None:
    update_host(lxd, NEW)
    with pytest.raises(CapacityError):
        stamp(lxd, bob(**gpus("5")))


def test_an_existing_container_tells_its_drift_and_the_way_out(lxd: FakeLxd) -> None:
    stamp(lxd, bob(**gpus("1")))
    update_host(lxd, NEW)
    done = stamp(lxd, bob())
    assert done.summary is not None
    assert (done.summary["driver"], done.summary["drift"]) == (OLD, True)
    assert ("driver", f"{OLD}, the host runs {NEW}; fix: invoke sync-drivers bob") in (
        containers.of_stamped(done)[1]
    )
    row = listing.containers(lxd, Settings())[0]
    assert (row["driver"], row["drift"]) == (OLD, True)


def test_drift_is_no_matter_without_driver_and_gpus(lxd: FakeLxd) -> None:
    publish(lxd, BASE)
    done = stamp(lxd, bob(**gpus("none")))
    assert done.summary is not None
    assert (done.summary["driver"], done.summary["drift"], done.summary["gpus"]) == (
        None,
        False,
        [],
    )
    assert ("gpus", "none") in containers.of_stamped(done)[1]


# ---- on-drift: build -------------------------------------------------------------------------


def drifting(template: str) -> Stamp:
    """Stamps that end in drift until TEMPLATE is built."""
    stamped = Provisioned(changed=True, actions=(), summary=None)
    built: list[str] = []

    def once(settings: object, wish: object, *, plan: bool) -> Provisioned:
        if template not in built and not plan:
            built.append(template)
            raise DriftError(BASE, "drifts", details="")
        if plan:
            raise DriftError(BASE, "drifts", details="")
        return stamped

    return once


@pytest.fixture
def built() -> list[str]:
    return []


def stamped_or_built(on_drift: str, built: list[str], *, plan: bool) -> Provisioned | None:
    settings = Settings.model_validate({"driver": {"on_drift": on_drift}})
    return stamp_or_build(settings, bob(), plan=plan, stamp=drifting("base"), build=built.append)


def test_the_lab_may_have_it_built_first(
    built: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    done = stamped_or_built("build", built, plan=False)
    assert done is not None
    assert done.changed
    assert built == ["base"]
    assert "The release base 20261121.1 drifts." in capsys.readouterr().err


def test_a_plan_builds_nothing(built: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert stamped_or_built("build", built, plan=True) is None
    assert built == []
    assert capsys.readouterr().out == ("build base for the host's driver, then make bob from it\n")


def test_the_usual_lab_refuses(built: list[str]) -> None:
    with pytest.raises(DriftError):
        stamped_or_built("refuse", built, plan=False)
    assert built == []


# ---- starting --------------------------------------------------------------------------------


def test_a_start_without_its_gpu_says_what_to_do(lxd: FakeLxd) -> None:
    stamp(lxd, bob(gpus=parse_selection(f"{A},{D}")))
    lxd.host_gpus = FOUR[:3]
    with pytest.raises(CapacityError) as error:
        lifecycle.restart(lxd, Settings(), "bob", report=Silent(), probe_ssh=banner)
    assert str(error.value) == (
        f"bob cannot start: its GPU {D} is not at the old address.\n"
        f"  {D} ({uuid(3)}) is missing, or its driver does not run it\n"
        f"Next: invoke provision bob --gpus {A}\n"
        "      List all GPUs: invoke host.gpus"
    )
    assert lxd.store.instances["default", "bob"].state is State.RUNNING
    lxd.stop("bob")
    with pytest.raises(CapacityError):
        lifecycle.start(lxd, Settings(), "bob", report=Silent(), probe_ssh=banner)
    assert "start bob" not in lxd.changes[-1:]


def test_a_start_with_its_gpu_elsewhere_says_where(lxd: FakeLxd) -> None:
    stamp(lxd, bob(gpus=parse_selection(D)))
    lxd.stop("bob")
    lxd.host_gpus = (*FOUR[:3], a_gpu(3, pci="0000:e1:00.0"))
    with pytest.raises(CapacityError) as error:
        lifecycle.start(lxd, Settings(), "bob", report=Silent(), probe_ssh=banner)
    assert f"{D} ({uuid(3)}) is at 0000:e1:00.0 now" in str(error.value)
    assert error.value.fix is not None
    assert error.value.fix.startswith("invoke provision bob --gpus 0000:e1:00.0\n")
    stamp(lxd, bob(keys=(), gpus=parse_selection("0000:e1:00.0"), only_gpus=True))
    assert lifecycle.start(
        lxd, Settings(), "bob", report=Silent(), timeouts=hasty(), probe_ssh=banner
    )


def test_the_gpu_of_a_container_names_what_is_missing(lxd: FakeLxd) -> None:
    stamp(lxd, bob(gpus=parse_selection(f"{A},{D}")))
    lxd.host_gpus = FOUR[:3]
    rows = containers.of_container(listing.show(lxd, Settings(), "bob"))[1]
    assert rows[rows.index(("gpu", f"0  {A}  {FOUR[0].model}")) :][:4] == [
        ("gpu", f"0  {A}  {FOUR[0].model}"),
        ("gpu", f"{D} is missing"),
        ("", f"fix: invoke provision bob --gpus {A}"),
        ("driver", OLD),
    ]
