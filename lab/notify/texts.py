"""Every message, in English and in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lab.notify.notice import Notice
from lab.printable import in_line, printable
from lab.settings.notify import Event, Language


@dataclass(frozen=True, slots=True)
class Text:
    """FIELDS of the notice are named in braces."""

    title: str
    body: str


_ENGLISH: Final = {
    Event.WARNING: Text(
        "{name}: the container ends on {until}",
        "The container {name} runs until the end of {until}: {days} days. Then it is stopped, and "
        "later its files are removed from the server. Copy what you need, or ask the lab's "
        "administrator for more time.\nFor the administrator: invoke renew {name} --until DATE",
    ),
    Event.STOPPED: Text(
        "{name}: the container was stopped",
        "The time of the container {name} ended on {until}, so it was stopped. Its files are kept "
        "for now.\nFor the administrator, to give more time: invoke renew {name} --until DATE",
    ),
    Event.ARCHIVED: Text(
        "{name}: the files were archived",
        "The files of the container {name}, whose time ended on {until}, are in the verified "
        "backup {backup}.",
    ),
    Event.HOME_KEPT: Text(
        "{name}: the container was removed, the home is kept",
        "The container {name}, whose time ended on {until}, was removed from the server. Its home "
        "is kept, and all of it is in the backup {backup}.\nFor the administrator, to bring it "
        "back: invoke renew {name} --until DATE",
    ),
    Event.PURGE_WARNING: Text(
        "{name}: the home is removed on {purge}",
        "The home of {name}, whose time ended on {until}, is removed from the server on {purge}. "
        "It is in the backup {backup}.\nFor the administrator, to keep it: invoke renew {name} "
        "--until DATE",
    ),
    Event.PURGED: Text(
        "{name}: the home was removed",
        "The home of {name}, whose time ended on {until}, was removed from the server. It is in "
        "the backup {backup}.",
    ),
    Event.RENEWED: Text(
        "{name}: the time was renewed",
        "The container {name} can be used until: {until}.",
    ),
    Event.JOB_FAILED: Text(
        "{host}: {job} failed",
        "The job {job} on {host} failed:\n{details}",
    ),
    Event.TEST: Text(
        "{host}: a test",
        "labstamp on {host} can send messages to this address.",
    ),
}

_CHINESE: Final = {
    Event.WARNING: Text(
        "{name}：容器将于 {until} 到期",
        "容器 {name} 可用到 {until} 当天结束，还有 {days} 天。之后容器会停止，再过一段时间其文件会"
        "从服务器上删除。请复制需要的文件，或向实验室管理员申请延期。\n"
        "管理员可运行：invoke renew {name} --until 日期",
    ),
    Event.STOPPED: Text(
        "{name}：容器已停止",
        "容器 {name} 已于 {until} 到期，因此被停止。文件暂时保留。\n"
        "如需延期，管理员可运行：invoke renew {name} --until 日期",
    ),
    Event.ARCHIVED: Text(
        "{name}：文件已归档",
        "容器 {name} 已于 {until} 到期，其文件保存在已验证的备份 {backup} 中。",
    ),
    Event.HOME_KEPT: Text(
        "{name}：容器已删除，家目录保留",
        "容器 {name} 已于 {until} 到期，现已从服务器上删除。家目录仍保留，"
        "全部文件都在备份 {backup} 中。\n"
        "如需恢复，管理员可运行：invoke renew {name} --until 日期",
    ),
    Event.PURGE_WARNING: Text(
        "{name}：家目录将于 {purge} 删除",
        "{name} 已于 {until} 到期，其家目录将于 {purge} 从服务器上删除。"
        "备份 {backup} 中有全部文件。\n"
        "如需保留，管理员可运行：invoke renew {name} --until 日期",
    ),
    Event.PURGED: Text(
        "{name}：家目录已删除",
        "{name} 已于 {until} 到期，其家目录已从服务器上删除。备份 {backup} 中有全部文件。",
    ),
    Event.RENEWED: Text(
        "{name}：已延期",
        "容器 {name} 的可用期限：{until}。",
    ),
    Event.JOB_FAILED: Text(
        "{host}：{job} 失败",
        "{host} 上的任务 {job} 失败：\n{details}",
    ),
    Event.TEST: Text(
        "{host}：测试",
        "{host} 上的 labstamp 可以向这个地址发送消息。",
    ),
}

TEXTS: Final[Mapping[Language, Mapping[Event, Text]]] = MappingProxyType(
    {Language.ENGLISH: _ENGLISH, Language.CHINESE: _CHINESE}
)
_MOST: Final = 4000
"""Characters: chats refuse longer messages, some at a few thousand."""


def worded(notice: Notice, language: Language) -> tuple[str, str]:
    """Title and body of NOTICE."""
    text = TEXTS[language][notice.event]
    fields = {name: printable(value) for name, value in notice.fields.items()}
    title, body = text.title.format_map(fields), text.body.format_map(fields)
    return in_line(title), body if len(body) <= _MOST else f"{body[:_MOST]} …"
