"""From messages to JSON and back; a whole number in a `Value` is a whole number."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from google.protobuf import json_format
from google.protobuf.message import Message

from gemel.errors import InvalidInput

VALUE = "google.protobuf.Value"
WHOLE = 2.0**53
"""From which on not every whole number is a double."""
_encode = msgspec.json.Encoder().encode


def to_json(message: Message) -> bytes:
    """What a message says, as the JSON of its struct; what is not said is left out.

    Raises:
        InvalidInput: a number is none that JSON has; it would be read as no value.
    """
    return _encode(_plain(message))


def from_reply(reply: Any, kind: type[Message]) -> Message:
    """The message of a struct; what it has no field for, its protocol does not tell."""
    message = kind()
    _fill(message, msgspec.json.decode(_encode(reply)))
    return message


def _fill(message: Any, said: Any) -> None:
    """Write JSON values into a message; null is what is not said."""
    if message.DESCRIPTOR.full_name == VALUE:
        json_format.ParseDict(said, message)
        return
    for name, value in said.items():
        field = message.DESCRIPTOR.fields_by_name.get(name)
        if field is None or value is None:
            continue
        if field.message_type is None:
            if field.is_repeated:
                getattr(message, name).extend(value)
            else:
                setattr(message, name, value)
        elif field.message_type.GetOptions().map_entry:
            into = getattr(message, name)
            for key, one in value.items():
                _fill(into[key], one)
        elif field.is_repeated:
            for one in value:
                _fill(getattr(message, name).add(), one)
        else:
            getattr(message, name).SetInParent()
            _fill(getattr(message, name), value)


def _plain(message: Any) -> Any:
    if message.DESCRIPTOR.full_name == VALUE:
        return _value(message, "")
    said: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is None:
            for one in value if field.is_repeated else (value,):
                _check(one, field.name)
            said[field.name] = list(value) if field.is_repeated else value
        elif field.message_type.GetOptions().map_entry:
            is_message = field.message_type.fields_by_name["value"].message_type is not None
            said[field.name] = {k: _plain(v) if is_message else v for k, v in value.items()}
        elif field.is_repeated:
            said[field.name] = [_plain(one) for one in value]
        else:
            said[field.name] = _plain(value)
    return said


def _value(value: Any, name: str) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        number: float = value.number_value
        _check(number, name)
        return int(number) if number.is_integer() and abs(number) < WHOLE else number
    if kind == "struct_value":
        return {key: _value(one, key) for key, one in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_value(one, name) for one in value.list_value.values]
    return value.bool_value if kind == "bool_value" else None


def _check(value: Any, name: str) -> None:
    """Raise InvalidInput if the value is a number that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        hint = "leave out what is not known"
        raise InvalidInput(f"{value} is no number", where=name[:60], hint=hint)
