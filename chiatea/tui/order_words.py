"""Orders to copiers in words. Pure."""

from typing import Final

from chiatea.protobuf.copy_pb2 import CopyCommand
from chiatea.tui.plain_text import plain
from chiatea.units import format_bytes

__all__ = ["doing", "rate_text", "what_of"]

_WHATS: Final = {
    CopyCommand.PAUSE: ("pause", "pausing"),
    CopyCommand.RESUME: ("resume", "resuming"),
    CopyCommand.CANCEL: ("cancel", "cancelling"),
    CopyCommand.RETRY: ("retry", "retrying"),
    CopyCommand.MOVE: ("move", "moving"),
    CopyCommand.SET_BANDWIDTH: ("limit", "limiting"),
    CopyCommand.PAUSE_ALL: ("pause all", "pausing all"),
    CopyCommand.RESUME_ALL: ("resume all", "resuming all"),
    CopyCommand.DRAIN_TARGET: ("drain", "draining"),
    CopyCommand.RELEASE_TARGET: ("release", "releasing"),
}


def rate_text(bytes_per_second: float) -> str:
    """A limit; 0 is none."""
    return f"{format_bytes(bytes_per_second)}/s" if bytes_per_second > 0 else "no limit"


def what_of(command: CopyCommand) -> str:
    """What was ordered: "pause", "priority 3"."""
    if command.action == CopyCommand.SET_PRIORITY:
        return f"priority {command.priority}"
    if command.action == CopyCommand.MOVE:
        return f"move to {plain(command.target_id)}"
    if command.action == CopyCommand.SET_BANDWIDTH:
        limit = rate_text(command.max_bytes_per_second)
        return limit if command.max_bytes_per_second <= 0 else f"limit {limit}"
    return _WHATS.get(command.action, ("order", ""))[0]


def doing(command: CopyCommand) -> str:
    """What its copier is about to do, in a word or two: "pausing", "priority 3"."""
    return _WHATS[command.action][1] if command.action in _WHATS else what_of(command)
