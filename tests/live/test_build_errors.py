"""What a build says when what it is made from is wrong; users keep the release they had."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support.live_lab.aptrepo import bridge_address
from tests.support.live_lab.lab import Said, instances, lxc, query
from tests.support.live_lab.removing import remove_lab
from tests.support.live_lab.tiny import (
    PREFIX,
    PROJECT,
    Tiny,
    at,
    litter,
    make_tiny,
    plainly,
    while_busy_with,
)

pytestmark = pytest.mark.plain


def dead_mirror() -> str:
    """Where containers get an answer, and it is no."""
    return f"http://{bridge_address()}:9/debian"


@pytest.fixture(scope="module")
def built(source: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    """With one release."""
    remove_lab(PREFIX, PROJECT)
    tiny = make_tiny(tmp_path_factory.mktemp("tiny"), source)
    tiny.lab.succeed("build-images")
    yield tiny
    remove_lab(PREFIX, PROJECT)


@pytest.fixture
def faulty(built: Tiny, source: dict[str, str]) -> Iterator[Tiny]:
    """To be broken by a test, which must leave neither a new release nor anything else."""
    before = built.release()
    yield built
    assert built.release() == before
    assert litter() == []
    built.define()
    built.boot_with("")
    built.set(source=source)


def _failed(tiny: Tiny, *arguments: str) -> tuple[int, str]:
    """Exit code and the whole of stderr."""
    said = tiny.lab.invoke("build-images", *arguments)
    return said.code, _told(tiny, said)


def _told(tiny: Tiny, said: Said) -> str:
    release = query(f"/1.0/images/{tiny.release()}")
    distro = release["properties"]["lab.distro"]
    return plainly(said.err, tmp=str(tiny.directory), distro=distro, bridge=bridge_address())


def test_a_failed_check_keeps_the_old_release(faulty: Tiny) -> None:
    check = {"name": "is green", "kind": "command", "run": ["echo", "red"], "stdout": "^green$"}
    faulty.define(checks=[check])
    assert _failed(faulty) == (
        5,
        "no driver inside: set in lab.yaml\n"
        "tiny: build (its body is kept), images/definitions/tiny.yaml changed, checks changed\n"
        "tiny: publish\n"
        "tiny: check\n"
        "tiny: FAILED: the new image failed 1 of 4 checks; users keep the old one.\n"
        "error: tiny: the new image failed 1 of 4 checks; users keep the old one.\n"
        "  is green: the output does not match '^green$': red\n"
        "Next: Read the full log: {logs}/tiny.log\n"
        "      Keep the instance to inspect it: invoke build-images --keep-failed\n",
    )
    assert "FAILED: is green: the output does not match '^green$': red" in faulty.kept_log()


def test_an_instance_that_failed_is_kept_on_request(faulty: Tiny) -> None:
    check = {"name": "is green", "kind": "command", "run": ["false"]}
    faulty.define(checks=[check])
    code, told = _failed(faulty, "--keep-failed")
    assert code == 5
    kept = f"lxc --project {PROJECT} exec check-tiny-1 -- bash"
    assert f"The instance that failed its checks is kept. Look at it with:\n  {kept}\n" in told
    assert lxc("exec", "check-tiny-1", "--", "hostname", project=PROJECT) == "check-tiny-1\n"
    # The next run needs its name and takes it.
    faulty.define()
    assert "Nothing to do." in faulty.lab.succeed("build-images").out
    home = query(f"/1.0/instances/check-tiny-1?project={PROJECT}")["devices"]["home"]
    lxc("delete", "--force", "check-tiny-1", project=PROJECT)
    lxc("storage", "volume", "delete", home["pool"], home["source"])


def test_a_package_that_does_not_exist(faulty: Tiny) -> None:
    faulty.define(packages=["hello", "ft-no-such-package"])
    faulty.boot_with(
        "package_update: true\n"
        "packages:\n"
        "{% for package in packages %}\n"
        "  - {{ package | quoted }}\n"
        "{% endfor %}\n"
    )
    code, told = _failed(faulty)
    assert (code, told.partition("error: ")[2]) == (
        2,
        "tiny: apt in {distro} has no package ft-no-such-package.\n"
        "  {tmp}/definitions/tiny.yaml:5: ft-no-such-package\n"
        "Next: Correct the name in that file, or map it under `names:` in "
        "images/distros/{distro}.yaml.\n",
    )


@pytest.mark.parametrize("key", ["bootcmd", "runcmd"])
def test_a_command_that_fails_among_others_that_do_not(faulty: Tiny, key: str) -> None:
    faulty.boot_with(
        f"{key}:\n"
        "  - [echo, a line before]\n"
        "  - [sh, -c, 'echo \"lab-setup: error: no such disk\" >&2; exit 3']\n"
        "  - ['true']\n"
    )
    code, told = _failed(faulty)
    lines = told.partition("error: ")[2].splitlines()
    assert (code, lines[:2], lines[-3:]) == (
        5,
        [
            "tiny: a command of cloud-init/tiny.yaml.j2 failed with exit code 3.",
            f'  {key}[1]: sh -c "echo "lab-setup: error: no such disk" >&2; exit 3"',
        ],
        [
            "  a line before",
            "  lab-setup: error: no such disk",
            "Next: Correct that command, or write `|| true` after a command that may fail. Read "
            "the full log: {logs}/tiny.log",
        ],
    )


def test_a_boot_that_would_end_itself(faulty: Tiny) -> None:
    faulty.boot_with("power_state: {mode: reboot}\n")
    code, told = _failed(faulty)
    assert (code, told) == (
        2,
        "error: {tmp}/cloud-init/tiny.yaml.j2 cannot be used.\n"
        "  {tmp}/cloud-init/tiny.yaml.j2:4: power_state: it would stop the boot that labstamp "
        "waits for\n",
    )


def test_a_builder_that_failed_is_kept_on_request(faulty: Tiny) -> None:
    faulty.boot_with("runcmd:\n  - [sh, -c, 'echo here > /root/note; exit 1']\n")
    code, told = _failed(faulty, "--keep-failed")
    assert code == 5
    assert (
        "tiny: the builder is kept as failed-tiny. Look at it with:\n"
        f"  lxc --project {PROJECT} start failed-tiny\n"
        f"  lxc --project {PROJECT} exec failed-tiny -- bash\n"
    ) in told
    lxc("start", "failed-tiny", project=PROJECT)
    assert lxc("exec", "failed-tiny", "--", "cat", "/root/note", project=PROJECT) == "here\n"
    lxc("delete", "--force", "failed-tiny", project=PROJECT)


def test_a_mirror_that_the_builder_cannot_reach(faulty: Tiny, source: dict[str, str]) -> None:
    faulty.set(source=source, mirror=dead_mirror(), **{"security-mirror": dead_mirror()})
    faulty.define(packages=["hello"])
    faulty.boot_with(
        "package_update: true\n"
        "packages: {{ packages | quoted }}\n"
        "write_files:\n"
        "  - path: /etc/apt/sources.list\n"
        "    content: {{ ('deb ' ~ archives[0].uri ~ ' ' ~ codename ~ ' main') | quoted }}\n"
        "bootcmd:\n"
        "  - [sh, -c, 'rm -f /etc/apt/sources.list.d/*']\n"
    )
    code, told = _failed(faulty)
    assert (code, told.partition("error: ")[2]) == (
        2,
        "tiny: the builder cannot reach the apt mirror.\n"
        "  W: Failed to fetch http://{bridge}:9/debian/dists/{suite}/InRelease  "
        "Could not connect to {bridge}:9 ({bridge}). - connect (111: Connection refused)\n"
        "Next: Check that containers can reach the mirror, or set `mirror:` and `proxy:` in "
        "lab.yaml.\n",
    )


def test_a_mirror_that_mmdebstrap_cannot_reach(faulty: Tiny) -> None:
    faulty.set(mirror=dead_mirror(), **{"security-mirror": dead_mirror()})
    code, told = _failed(faulty)
    assert (code, told.partition("error: ")[2]) == (
        2,
        "The apt mirror http://{bridge}:9/debian cannot be reached.\n"
        "  E: Failed to fetch http://{bridge}:9/debian/dists/{suite}/InRelease  "
        "Could not connect to {bridge}:9 ({bridge}). - connect (111: Connection refused)\n"
        "  E: Failed to fetch http://{bridge}:9/debian/dists/{suite}/InRelease  "
        "Unable to connect to {bridge}:9:\n"
        "  E: Failed to fetch http://{bridge}:9/debian/dists/{suite}/InRelease  "
        "Unable to connect to {bridge}:9:\n"
        "Next: Check that the mirror answers (curl -I), or set `mirror:` and `proxy:` in "
        "lab.yaml.\n",
    )


def test_an_instance_that_is_no_source(faulty: Tiny) -> None:
    faulty.set(source={"kind": "instance", "name": "ft-sourse"})
    code, told = _failed(faulty)
    assert (code, told.partition("error: ")[2]) == (
        2,
        "source: LXD has no instance ft-sourse in the project default "
        '(did you mean "ft-source"?).\n'
        "Next: Correct `source:` in lab.yaml.\n",
    )


def test_a_cloud_config_that_its_cloud_init_refuses(faulty: Tiny) -> None:
    faulty.boot_with("packages: {hello: 1}\n")
    code, told = _failed(faulty)
    assert (code, told.partition("error: ")[2]) == (
        2,
        "cloud-init in {distro} refuses the cloud-config that cloud-init/tiny.yaml.j2 renders to.\n"
        "  Error:\n"
        "  Cloud config schema errors: packages: {'hello': 1} is not of type 'array'\n"
        "Next: Show it with: invoke render tiny\n",
    )


@pytest.mark.parametrize(
    ("sign", "phase"),
    [(signal.SIGINT, "clone"), (signal.SIGINT, "check"), (signal.SIGTERM, "cloud-init")],
)
def test_ctrl_c_cleans_up_at_once(faulty: Tiny, sign: signal.Signals, phase: str) -> None:
    said = faulty.lab.signal_at(sign, at(phase), "build-images", "--force")
    assert (said.code, _told(faulty, said).splitlines()[-2:]) == (
        130,
        [
            "tiny: FAILED: stopped; the unfinished parts are removed",
            "Interrupted.",
        ],
    )


def test_ctrl_c_while_lxd_packs_the_image(faulty: Tiny) -> None:
    """LXD goes on with it after its client is gone."""
    reached = while_busy_with("image", "publish")
    said = faulty.lab.signal_at(signal.SIGINT, reached, "build-images", "--force")
    assert said.code == 130
    assert instances(PROJECT) == ["body-tiny", *_sources()]


def _sources() -> list[str]:
    return [name for name in instances(PROJECT) if name.startswith("source-")]
