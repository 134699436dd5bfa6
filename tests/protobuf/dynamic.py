"""Messages that no .proto file here has: made while the tests run."""

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass

__all__ = ["Field", "class_of", "enum", "field", "message", "new_file", "pool_of"]

Field = FieldDescriptorProto


def field(name: str, number: int, kind: "Field.Type.ValueType", type_name: str = "", **more: Any) -> Field:
    """One field; `type_name` is ".dynamic.Name" for messages and enums."""
    made = Field(name=name, number=number, type=kind, label=Field.LABEL_OPTIONAL, **more)
    if type_name:
        made.type_name = f".dynamic.{type_name}"
    return made


def message(proto: FileDescriptorProto, name: str, fields: Iterable[Field]) -> DescriptorProto:
    """Adds a message to a file, with the hidden oneofs that `optional` needs."""
    made = proto.message_type.add(name=name)
    for one in fields:
        if one.proto3_optional:
            one.oneof_index = len(made.oneof_decl)
            made.oneof_decl.add(name=f"_{one.name}")
        made.field.append(one)
    return made


def enum(proto: FileDescriptorProto, name: str, values: dict[str, int]) -> None:
    """Adds an enum to a file."""
    made = proto.enum_type.add(name=name)
    for key, number in values.items():
        made.value.add(name=key, number=number)


def new_file() -> FileDescriptorProto:
    """An empty proto3 file of the package "dynamic"."""
    return descriptor_pb2.FileDescriptorProto(name="dynamic.proto", package="dynamic", syntax="proto3")


def pool_of(proto: FileDescriptorProto) -> Callable[[str], Descriptor]:
    """What finds the messages of a file by their names."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(proto)
    return lambda name: pool.FindMessageTypeByName(f"dynamic.{name}")


def class_of(descriptor: Descriptor) -> Callable[[], Any]:
    """What makes an empty message."""
    return GetMessageClass(descriptor)
