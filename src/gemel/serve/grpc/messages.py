"""Messages of protobuf for the structs of the wire, so that both doors take and give the same.

A struct is a message, a field a field of the same name; what can be of several kinds, such as an
item, is a `google.protobuf.Value`. Every single value says whether it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2
from google.protobuf.message import Message
from msgspec import inspect

Kind = descriptor_pb2.FieldDescriptorProto
Numbers = Mapping[str, Mapping[str, int]]
VALUE = ".google.protobuf.Value"
SCALARS: dict[type[inspect.Type], str] = {
    inspect.StrType: "string",
    inspect.LiteralType: "string",
    inspect.IntType: "int64",
    inspect.FloatType: "double",
    inspect.BoolType: "bool",
    inspect.BytesType: "bytes",
}
TYPED = ("gemel.serve.", "gemel.release.explanation")
"""Where structs have messages of their own; what a release says of itself is a `Value`."""
MANY = "repeated "
EXTRA = "protobuf"
"""Key of `Meta(extra=...)` for a field whose type its Python type does not tell."""


class Method(NamedTuple):
    """A method of a service.

    Attributes:
        name: of the method.
        body: struct of its request; None for one without fields.
        reply: struct of its reply.
        says: what it does, in one sentence.
    """

    name: str
    body: type[msgspec.Struct] | None
    reply: type[msgspec.Struct]
    says: str = ""


class Shape(NamedTuple):
    """Of a field: its type in protobuf, and whether there are many, or many by their names."""

    type: str
    is_many: bool = False
    is_map: bool = False

    @property
    def is_message(self) -> bool:
        """Messages are named with a dot before."""
        return self.type.startswith(".")


def message_name(struct: type[Any]) -> str:
    """How the message of a struct is called: bodies are requests."""
    name = struct.__name__
    return name.removesuffix("Body") + "Request" if name.endswith("Body") else name


class File:
    """The description of one service and its messages.

    Args:
        package: such as `gemel.v1`.
        service: its name.
        methods: of the service.
        numbers: of fields, by message; a field that is not there gets the next one that is free.

    Attributes:
        proto: the description.
        says: what each message is, by its name; empty where nothing is said.
    """

    def __init__(
        self, package: str, service: str, methods: Iterable[Method], numbers: Numbers | None = None
    ) -> None:
        self.package, self.service, self.methods = package, service, tuple(methods)
        self._numbers = numbers or {}
        self._structs: dict[str, type[Any]] = {}
        self.says: dict[str, str] = {}
        self.proto = descriptor_pb2.FileDescriptorProto(
            name=f"{package.replace('.', '/')}.proto",
            package=package,
            syntax="proto3",
            dependency=["google/protobuf/struct.proto"],
        )
        described = self.proto.service.add(name=service)
        for method in self.methods:
            described.method.add(
                name=method.name,
                input_type=self._message(method.body, f"{method.name}Request"),
                output_type=self._message(method.reply),
            )

    def _message(self, struct: type[Any] | None, name: str = "") -> str:
        """The full name of a struct's message, which is described if it is met first."""
        if struct is not None:
            name = message_name(struct)
            if self._structs.setdefault(name, struct) is not struct:  # the second of that name
                name = struct.__module__.rpartition(".")[2].title().replace("_", "") + name
        full = f".{self.package}.{name}"
        if any(one.name == name for one in self.proto.message_type):
            return full
        described = self.proto.message_type.add(name=name)
        self.says[name] = "" if struct is None else (struct.__doc__ or "").partition("\n")[0]
        known = self._numbers.get(name, {})
        following, found = max(known.values(), default=0), []
        for field in () if struct is None else _fields(struct):
            number = known.get(field.encode_name)
            if number is None:
                following += 1
                number = following
            found.append((number, field.encode_name, self.shape(field.type)))
        for number, field_name, shape in sorted(found, key=lambda one: one[0]):  # as in the file
            self._field(described, field_name, number, shape)
        return full

    def _field(self, into: Any, name: str, number: int, shape: Shape) -> None:
        is_many = shape.is_many or shape.is_map
        field = into.field.add(
            name=name, number=number, label=Kind.LABEL_REPEATED if is_many else Kind.LABEL_OPTIONAL
        )
        if shape.is_map:
            entry = into.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
            entry.options.map_entry = True
            self._field_type(entry.field.add(name="key", number=1, label=1), "string")
            self._field_type(entry.field.add(name="value", number=2, label=1), shape.type)
            self._field_type(field, f".{self.package}.{into.name}.{entry.name}")
            return
        self._field_type(field, shape.type)
        if not is_many and not shape.is_message:  # zero and "not said" are two
            field.proto3_optional = True
            field.oneof_index = len(into.oneof_decl)
            into.oneof_decl.add(name=f"_{name}")

    @staticmethod
    def _field_type(field: Any, name: str) -> None:
        if name.startswith("."):
            field.type, field.type_name = Kind.TYPE_MESSAGE, name
        else:
            field.type = Kind.Type.Value(f"TYPE_{name.upper()}")

    def shape(self, kind: inspect.Type) -> Shape:
        """What a field of this type is in protobuf."""
        if isinstance(kind, inspect.Metadata):
            said = (kind.extra or {}).get(EXTRA)
            if said is None:
                return self.shape(kind.type)
            return Shape(said.removeprefix(MANY), is_many=said.startswith(MANY))
        if isinstance(kind, inspect.UnionType):
            kinds = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
            return self.shape(kinds[0]) if len(kinds) == 1 else Shape(VALUE)
        if isinstance(kind, inspect.StructType):
            is_typed = kind.cls.__module__.startswith(TYPED) and not kind.array_like
            return Shape(self._message(kind.cls) if is_typed else VALUE)
        if isinstance(kind, inspect.ListType | inspect.VarTupleType):
            return Shape(self._element(kind.item_type), is_many=True)
        if isinstance(kind, inspect.TupleType):
            found = {self._element(one) for one in kind.item_types}
            return Shape(found.pop() if len(found) == 1 else VALUE, is_many=True)
        if isinstance(kind, inspect.DictType) and isinstance(kind.key_type, inspect.StrType):
            return Shape(self._element(kind.value_type), is_map=True)
        return Shape(SCALARS.get(type(kind), VALUE))

    def _element(self, kind: inspect.Type) -> str:
        """The type of one of many: null has no place there but in a `Value`."""
        if isinstance(kind, inspect.UnionType):
            return VALUE
        shape = self.shape(kind)
        return VALUE if shape.is_many or shape.is_map else shape.type

    def classes(self) -> dict[str, type[Message]]:
        """The messages by their names, in a pool of their own."""
        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
        found = pool.AddSerializedFile(self.proto.SerializeToString())
        return {
            name: message_factory.GetMessageClass(described)
            for name, described in found.message_types_by_name.items()
        }


def _fields(struct: type[Any]) -> tuple[inspect.Field, ...]:
    described = inspect.type_info(struct)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{struct} is no struct")
    return described.fields
