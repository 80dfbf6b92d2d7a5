"""Protocol buffers on the wire: as much of the format as Chromium's push protocol needs.

A message is a sequence of fields, in any order. Each begins with one number that combines two:

    key = field number × 8 + wire type        then, by the wire type:

    0  VARINT    seven bits a byte, the lowest first; the top bit says that another byte follows
    1  FIXED64   eight bytes, the lowest first
    2  LENGTH    a varint, and as many bytes: text, bytes, or a message within the message
    5  FIXED32   four bytes: skipped here

The bytes do not say what a field number means. Both sides have to know it, and this side defines it
in a ``Message``. A field that is not defined is skipped, as the format requires.
"""

from collections.abc import Iterator
from enum import Enum

from pushlab.errors import BadField

MAX_FIELDS = 1500
"""Fields of one message that are read: more than a thousand ids in a login. It takes some 5 ms."""

MAX_VARINT = 10
"""Bytes of the longest varint: 64 bits, seven a byte."""


class Kind(Enum):
    """The type of a field's value, which decides its wire type."""

    NUMBER = 0  # 0 to 2⁶⁴-1; false and true are 0 and 1
    FIXED64 = 1  # the same, always in eight bytes
    TEXT = "text"
    BYTES = "bytes"


VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


class Message:
    """The definition of a message: its name, and the number, name and kind of each field.

    ``fields``: number → (name, kind), where kind is a ``Kind``, another ``Message``, or a list of
    one of these for a field that repeats.

    >>> greeting = Message("Greeting", {1: ("text", Kind.TEXT), 3: ("times", Kind.NUMBER)})
    >>> greeting.encode(text="hi", times=300).hex(" ")
    '0a 02 68 69 18 ac 02'
    >>> greeting.decode(bytes.fromhex("18ac02"))
    {'times': 300}
    """

    def __init__(self, name: str, fields: "dict[int, tuple[str, Kind | Message | list]]"):
        self.name, self._fields = name, fields
        self._numbers = {field[0]: number for number, field in fields.items()}

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def encode(self, **values) -> bytes:
        """Encode a message. A value that is None is left out; the value of a message is a dict."""
        written = bytearray()
        for name, value in values.items():
            number = self._numbers[name]
            kind = self._fields[number][1]
            each = kind[0] if isinstance(kind, list) else kind
            for one in value if isinstance(kind, list) else [value]:
                if one is not None:
                    written += _write(number, each, one)
        return bytes(written)

    def decode(self, data: bytes) -> dict:
        """Decode a message: name → value, or a list of values. Raises BadField.

        A field that is missing in ``data`` is missing in the dict too. If a field that does not
        repeat comes twice, its last value counts.
        """
        found: dict = {}
        for count, (number, wire, value) in enumerate(_fields(data)):
            if count >= MAX_FIELDS:
                raise BadField(f"{self.name} has over {MAX_FIELDS} fields")
            if number not in self._fields:
                continue
            name, kind = self._fields[number]
            one = self._read(name, kind[0] if isinstance(kind, list) else kind, wire, value)
            if isinstance(kind, list):
                found.setdefault(name, []).append(one)
            else:
                found[name] = one
        return found

    def _read(self, name: str, kind: "Kind | Message", wire: int, value: int | bytes) -> object:
        if wire != _wire(kind):
            raise BadField(f"{name} of {self.name} has wire type {wire}")
        if isinstance(value, int) or kind is Kind.BYTES:
            return value
        if isinstance(kind, Message):
            return kind.decode(value)
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise BadField(f"{name} of {self.name} is not UTF-8") from None


def varint(number: int) -> bytes:
    """Encode a whole number, 0 to 2⁶⁴-1. Raises BadField.

    >>> varint(1).hex(), varint(300).hex()
    ('01', 'ac02')
    """
    if not 0 <= number < 2**64:
        raise BadField("a varint holds 64 bits here, and no sign")
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def read_varint(data: bytes, at: int = 0) -> tuple[int, int]:
    """Decode the varint at index ``at``; return it and the index behind it. Raises BadField."""
    number = 0
    for shift, byte in enumerate(data[at : at + MAX_VARINT]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            if number >= 2**64:
                break
            return number, at + shift + 1
    raise BadField("a varint has no end, or more than 64 bits")


def _wire(kind: Kind | Message) -> int:
    return kind.value if kind in (Kind.NUMBER, Kind.FIXED64) else LENGTH


def _write(number: int, kind: Kind | Message, value) -> bytes:
    key = varint(number * 8 + _wire(kind))
    if kind is Kind.NUMBER:
        return key + varint(value)
    if kind is Kind.FIXED64:
        return key + value.to_bytes(8, "little")
    if isinstance(kind, Message):
        value = kind.encode(**value)
    elif kind is Kind.TEXT:
        value = value.encode("utf-8")
    return key + varint(len(value)) + value


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield the number, wire type and value of every field, defined or not."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, wire = divmod(key, 8)
        if not 0 < number < 2**29:
            raise BadField(f"a field has the number {number}")
        if wire == VARINT:
            varint_value, at = read_varint(data, at)
            yield number, wire, varint_value
            continue
        if wire == LENGTH:
            length, at = read_varint(data, at)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise BadField(f"a field has wire type {wire}")
        value, at = data[at : at + length], at + length
        if len(value) < length:
            raise BadField("the message ends inside a field")
        yield number, wire, int.from_bytes(value, "little") if wire == FIXED64 else value
