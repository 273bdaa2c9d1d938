"""`gpus:` in lab.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import InputError
from lab.gpu_selection import GpuSelection
from lab.settings.gpus import GpuSettings
from lab.settings.settings import load_settings


def loaded(directory: Path, text: str) -> GpuSettings:
    (directory / "lab.yaml").write_text(f"gpus: {text}\n")
    return load_settings(directory, {}).gpus


def test_without_a_word_everybody_gets_one_gpu_and_shares_it(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {}).gpus
    assert settings == GpuSettings()
    assert settings.default == GpuSelection(count=1)
    assert settings.limit is None


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("{default: 2}", GpuSelection(count=2)),
        ('{default: "2"}', GpuSelection(count=2)),
        ("{default: 0}", GpuSelection()),
        ("{default: none}", GpuSelection()),
        ("{default: all}", GpuSelection(everything=True)),
    ],
)
def test_the_default(tmp_path: Path, text: str, wish: GpuSelection) -> None:
    assert loaded(tmp_path, text).default == wish


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("{policy: shared}", None),
        ("{policy: exclusive}", 1),
        ("{policy: exclusive, max-users-per-card: 1}", 1),
        ("{max-users-per-card: 4}", 4),
    ],
)
def test_how_many_may_share_a_gpu(tmp_path: Path, text: str, limit: int | None) -> None:
    assert loaded(tmp_path, text).limit == limit


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{default: some}", 'gpus.default: must be a count, all or none, not "some"'),
        ("{default: true}", "gpus.default: must be a count, all or none, not true"),
        ("{default: 1.5}", 'gpus.default: must be a count, all or none, not "1.5"'),
        ("{default: -1}", "gpus.default: must be a count, all or none, not -1"),
        ("{default: [0]}", "gpus.default: must be a count, all or none, not a list"),
        ("{default: 'idx:1'}", 'gpus.default: must be a count, all or none, not "idx:1"'),
        ("{policy: fair}", "gpus.policy: must be 'shared' or 'exclusive', not \"fair\""),
        ("{max-users-per-card: 0}", "gpus.max-users-per-card: must be 1 or more, not 0"),
        (
            "{policy: exclusive, max-users-per-card: 2}",
            "gpus: max-users-per-card must be 1 where policy is exclusive; remove it",
        ),
        (
            "{max-user-per-card: 2}",
            'gpus.max-user-per-card: unknown key (did you mean "max-users-per-card"?)',
        ),
    ],
)
def test_what_is_no_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        loaded(tmp_path, text)
    assert str(caught.value) == f"lab.yaml cannot be used.\n  lab.yaml:1: {told}"
