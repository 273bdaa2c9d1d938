"""Requests that make no sense, or do not fit: told before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lab.errors import CapacityError, InputError, LabError
from lab.host_gpus import HostGpus
from lab.lxd.idmap import IdRange
from lab.lxd.model import Pool, Profile, Server
from lab.machine.host_size import HostSize
from lab.settings.settings import Settings
from provision.create.facts import Facts
from provision.create.gpu_facts import GpuFacts
from provision.create.plan import plan
from provision.create.request import Request, differences
from provision.ids.ranges import IdFacts
from provision.releases import Offer
from tests.support.builders.public_keys import ed25519
from tests.support.builders.stamping import BASE, bob

GIB = 1 << 30
NAMES = {
    "bob; rm -rf /": 'It contains ";", " ", "/".',
    "../x": 'It contains ".", "/".',
    "-x": 'It begins with "-".',
    "b" * 64: "It has 64 characters.",
    "bøb": 'It contains "ø".',
    "": "It is empty.",
    "bob-": "It ends with a dash.",
}


SERVER = Server(version="5.0.2", api_extensions=frozenset({"cloud_init"}), name="x")


def facts(**known: object) -> Facts:
    host = HostGpus(gpus=(), driver=None, server=SERVER, settings=Settings())
    usual: dict[str, object] = {
        "server": SERVER,
        "gpus": GpuFacts(host=host),
        "offers": (Offer(release=BASE, fingerprint="f"),),
        "profile": Profile(name="default", devices={"eth0": {"type": "nic"}}),
        "pool": Pool(name="default", driver="btrfs", total_bytes=40 * GIB, used_bytes=GIB),
        "builder": "here 1 1",
        "host": HostSize(cpus=4, memory_bytes=8 * GIB),
        "user_data": "#cloud-config\n",
        "ids": IdFacts(reserved=IdRange(1_000_000, 1_000_000_000)),
    }
    return Facts(**{**usual, **known})  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "reason"), NAMES.items())
def test_names_that_lxd_would_refuse(name: str, reason: str) -> None:
    with pytest.raises(InputError) as error:
        Request(name=name, template="base")
    lines = str(error.value).splitlines()
    assert lines[1:3] == [
        f"  {reason}",
        "Next: Use 1 to 63 letters, digits and dashes; begin with a letter, "
        "do not end with a dash.",
    ]


def test_a_name_that_is_no_account() -> None:
    with pytest.raises(InputError) as error:
        Request(name="Bob", template="base")
    assert str(error.value) == (
        "Bob can be the name of the container, but not of the account in it.\n"
        '  "Bob" cannot be an account. It contains "B".\n'
        "Next: Name the account: --account bob (the container stays Bob)."
    )
    with pytest.raises(InputError) as error:
        Request(name="voice", template="base")
    assert str(error.value) == (
        "voice can be the name of the container, but not of the account in it.\n"
        '  "voice" cannot be an account. That name belongs to the system.\n'
        "Next: Name the account: --account ACCOUNT (the container stays voice)."
    )
    assert Request(name="Bob", account="bob", template="base").account == "bob"


def test_an_account_of_the_system() -> None:
    with pytest.raises(InputError) as error:
        bob(account="root")
    assert str(error.value) == (
        '"root" cannot be an account.\n'
        "  That name belongs to the system.\n"
        "Next: Choose another name."
    )


def test_a_name_that_the_image_has_already() -> None:
    offer = Offer(release=BASE, fingerprint="f", accounts=frozenset({"bob", "guests"}))
    for wish in ({}, {"name": "robert", "account": "guests"}):
        request = bob(**wish)
        with pytest.raises(InputError) as error:
            plan(request, facts(offers=(offer,)))
        assert str(error.value) == (
            f'"{request.account}" cannot be an account in base 20261121.1.\n'
            "  The image has an account or a group of that name.\n"
            f"Next: Name the account: --account ACCOUNT (the container stays {request.name})."
        )
    assert plan(bob(account="robert"), facts(offers=(offer,)))


def test_a_name_that_differs_in_case_only() -> None:
    with pytest.raises(InputError) as error:
        plan(bob(), facts(namesake="Bob"))
    assert str(error.value) == (
        'The names "bob" and "Bob" differ in upper and lower case only.\n'
        "  For LXD and DNS they are the same name.\n"
        'Next: Choose another name, or type "Bob" if you mean that container.'
    )


REFUSED: tuple[tuple[Mapping[str, int], type[LabError], str], ...] = (
    (
        {"disk_bytes": 500 << 20},
        InputError,
        "--disk 500.0 MiB is too small.\nNext: Ask for 1.0 GiB or more.",
    ),
    (
        {"home_bytes": 1},
        InputError,
        "--home 1 B is too small.\n"
        "Next: Ask for 16.0 MiB or more. A number without a unit is bytes: --home 1GiB?",
    ),
    (
        {"memory_bytes": 100 << 20},
        InputError,
        "--memory 100.0 MiB is too small.\nNext: Ask for 256.0 MiB or more.",
    ),
    ({"cpus": 0}, InputError, "--cpus 0: a container needs at least 1 CPU."),
    (
        {"cpus": 5},
        CapacityError,
        "5 CPUs requested, the host has 4.\nNext: Ask for less: --cpus N",
    ),
    (
        {"memory_bytes": 9 * GIB},
        CapacityError,
        "9.0 GiB of memory requested, the host has 8.0 GiB.\nNext: Ask for less: --memory SIZE",
    ),
    (
        {"disk_bytes": 41 * GIB},
        CapacityError,
        "41.0 GiB for the disk is more than the pool has.\n"
        '  The pool "default" has 40.0 GiB in all.\n'
        "Next: Ask for less: --disk SIZE",
    ),
    (
        {"home_bytes": 41 * GIB},
        CapacityError,
        "41.0 GiB for the home is more than the pool has.\n"
        '  The pool "default" has 40.0 GiB in all.\n'
        "Next: Ask for less: --home SIZE",
    ),
)


@pytest.mark.parametrize(("wish", "kind", "text"), REFUSED)
def test_impossible_sizes(wish: Mapping[str, int], kind: type[LabError], text: str) -> None:
    with pytest.raises(kind) as error:
        plan(bob(**wish), facts())
    assert str(error.value) == text


def test_a_full_pool() -> None:
    full = Pool(name="default", driver="btrfs", total_bytes=40 * GIB, used_bytes=40 * GIB - 1024)
    with pytest.raises(CapacityError) as error:
        plan(bob(), facts(pool=full))
    assert str(error.value) == (
        'The pool "default" is full: 1.0 KiB are left.\n'
        "Next: Make room: invoke prune-images, invoke destroy NAME --purge, or a larger pool."
    )


def test_another_machine_is_not_judged_by_this_one() -> None:
    assert plan(bob(cpus=512), facts(host=HostSize()))


def test_no_network_anywhere() -> None:
    with pytest.raises(LabError) as error:
        plan(bob(), facts(profile=Profile(name="default")))
    assert str(error.value) == (
        "The default profile has no network, and none is set in the settings.\n"
        "Next: Set `network:` in lab.yaml, or prepare the host: invoke host.setup"
    )


def test_a_request_is_kept_without_its_keys() -> None:
    kept = bob(password=True).canonical()
    assert kept == (
        '{"account":"bob","cpus":null,"disk":null,"home":null,'
        '"keys":["SHA256:RXm/ruZ0eTzRXKwi1AQEDynB0VgHQ2ac9KPSFdf/YnA"],'
        '"memory":null,"password":true,"template":"base"}'
    )
    assert ed25519() not in repr(bob())


def test_a_kept_request_that_nobody_can_read() -> None:
    for kept in ("", "null", "[]", '{"keys": 1}'):
        assert differences(kept, bob().canonical()) == (
            "the options stored with the container cannot be read (user.lab.request)",
        )
