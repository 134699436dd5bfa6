"""Conditions that several questions share."""

from chiatea.protobuf.descriptors import ColumnKind, Topic
from chiatea.server.database.schema import quoted

__all__ = ["text_condition"]


def text_condition(topic: Topic, text: str) -> tuple[str, list[str]]:
    """A condition that a text stands in any text of a topic's row, whatever its case; and its values."""
    names = [column.name for column in topic.columns if column.kind in (ColumnKind.TEXT, ColumnKind.JSON)]
    if not names:
        return "0", []
    return f"({' OR '.join(f'instr(lower({quoted(name)}), lower(?))' for name in names)})", [text] * len(names)
