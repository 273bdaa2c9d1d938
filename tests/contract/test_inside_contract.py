"""What every LXD behind the port does: commands and files inside an instance."""

from __future__ import annotations

import pytest

from lab.errors import LxdError, NotFound, TooMuch
from lab.lxd.model import Completed
from tests.contract.conftest import Backend


def test_a_command_gives_exit_code_and_both_outputs(backend: Backend, box: str) -> None:
    script = "echo out; echo err >&2; exit 3"
    assert backend.lxd.run(box, ["sh", "-c", script]) == Completed(
        exit_code=3, stdout="out\n", stderr="err\n"
    )


@pytest.mark.parametrize("code", [0, 1, 124, 126, 127, 137, 143, 255])
def test_a_quick_command_may_end_with_any_code(backend: Backend, box: str, code: int) -> None:
    assert backend.lxd.run(box, ["sh", "-c", f"exit {code}"]).exit_code == code


def test_a_command_that_cannot_be_found_ends_with_127(backend: Backend, box: str) -> None:
    assert backend.lxd.run(box, ["no-such-command"]).exit_code == 127
    assert backend.lxd.run(box, ["no-such-command"], stdin=b"unread").exit_code == 127


def test_arguments_arrive_as_they_are(backend: Backend, box: str) -> None:
    argv = ["printf", "%s|", "a b", "$HOME", "'", '"', "", "*", "é\n"]
    assert backend.lxd.run(box, argv).stdout == "a b|$HOME|'|\"||*|é\n|"


def test_output_is_told_as_well_as_returned(backend: Backend, box: str) -> None:
    told: list[str] = []
    done = backend.lxd.run(box, ["sh", "-c", "echo one; echo two"], on_output=told.append)
    assert "".join(told) == done.stdout == "one\ntwo\n"


def test_what_is_no_utf8_is_replaced(backend: Backend, box: str) -> None:
    assert backend.lxd.run(box, ["printf", r"a\377b\303"]).stdout == "a\ufffdb\ufffd"


def test_stdin_is_fed_whatever_is_in_it(backend: Backend, box: str) -> None:
    content = b"bob:\x00\xff $(id) '\n" * 3
    done = backend.lxd.run(box, ["wc", "-c"], stdin=content)
    assert done.stdout.strip() == str(len(content))
    assert backend.lxd.run(box, ["cat"]).stdout == ""
    assert backend.lxd.run(box, ["cat"], stdin=b"").stdout == ""


def test_a_stopped_instance_runs_nothing(backend: Backend, made: str) -> None:
    for stdin in (None, b"secret"):
        with pytest.raises(LxdError) as caught:
            backend.lxd.run(made, ["true"], stdin=stdin)
        assert str(caught.value) == (
            f"LXD could not run true in {made}.\n  Instance is not running"
        )


def test_files_are_written_read_and_deleted(backend: Backend, made: str) -> None:
    lxd, content = backend.lxd, bytes(range(256)) * 3
    with pytest.raises(NotFound) as caught:
        lxd.read_file(made, "/srv/deep/er/file")
    assert str(caught.value) == f"LXD could not read /srv/deep/er/file in {made}.\n  Not Found"
    lxd.write_file(made, "/srv/deep/er/file", content)
    assert lxd.read_file(made, "/srv/deep/er/file") == content
    lxd.write_file(made, "/srv/deep/er/file", b"")
    assert lxd.read_file(made, "/srv/deep/er/file") == b""
    with pytest.raises(LxdError):
        lxd.read_file(made, "/srv/deep")
    lxd.delete_file(made, "/srv/deep/er/file")
    lxd.delete_file(made, "/srv/deep/er/file")
    with pytest.raises(NotFound):
        lxd.read_file(made, "/srv/deep/er/file")


def test_a_directory_is_listed_running_or_not(backend: Backend, made: str, box: str) -> None:
    lxd = backend.lxd
    for name in (made, box):
        for file in ("b", "a", "sub/deep"):
            lxd.write_file(name, f"/srv/listed/{file}", b"x")
        assert lxd.list_directory(name, "/srv/listed") == ("a", "b", "sub")
        assert lxd.list_directory(name, "/srv/listed/") == ("a", "b", "sub")
        with pytest.raises(NotFound) as caught:
            lxd.list_directory(name, "/srv/none")
        assert str(caught.value) == f"LXD could not list /srv/none in {name}.\n  Not Found"
        with pytest.raises(LxdError) as refused:
            lxd.list_directory(name, "/srv/listed/a")
        assert refused.value.details == "/srv/listed/a is not a directory."
        for file in ("b", "a", "sub/deep"):
            lxd.delete_file(name, f"/srv/listed/{file}")


def test_too_large_a_file_is_not_read(backend: Backend, made: str) -> None:
    backend.lxd.write_file(made, "/srv/file", b"12345")
    assert backend.lxd.read_file(made, "/srv/file", most=5) == b"12345"
    with pytest.raises(TooMuch) as caught:
        backend.lxd.read_file(made, "/srv/file", most=4)
    assert str(caught.value) == f"LXD could not read /srv/file in {made}: it is larger than 4 B."


def test_when_a_file_was_written_is_told_without_opening_it(backend: Backend, made: str) -> None:
    assert backend.lxd.last_written(made, "/srv/file") is None
    backend.lxd.write_file(made, "/srv/file", b"1")
    first = backend.lxd.last_written(made, "/srv/file")
    assert first
    assert backend.lxd.last_written(made, "/srv/file") == first


def test_what_does_not_run_has_no_process(backend: Backend, made: str) -> None:
    assert backend.lxd.init_pid(made) is None
