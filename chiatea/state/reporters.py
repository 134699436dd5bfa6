"""Which topics each reporter of a machine tells."""

from typing import Final

from chiatea.protobuf.copy_pb2 import DESCRIPTOR as COPY_FILE
from chiatea.protobuf.descriptors import TOPICS
from chiatea.protobuf.monitoring_service_pb2 import COLLECTOR, COPIER, Reporter

__all__ = ["SERVER_TOPICS", "TOPICS_OF"]

_COPY_MESSAGES: Final = frozenset(COPY_FILE.message_types_by_name)

SERVER_TOPICS: Final = frozenset({"copy_command"})
"""What no reporter tells: the server writes down what it was asked to do, by whom, and what became of it."""

TOPICS_OF: "Final[dict[Reporter.ValueType, frozenset[str]]]" = {
    COLLECTOR: frozenset(name for name, topic in TOPICS.items() if topic.message_name not in _COPY_MESSAGES),
    COPIER: frozenset(name for name, topic in TOPICS.items() if topic.message_name in _COPY_MESSAGES) - SERVER_TOPICS,
}
"""The copier tells what copy.proto defines, but for commands; the collector everything else."""
