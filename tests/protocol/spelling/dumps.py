"""Bytes as tools dump them: curl --trace, xxd, and hexdump -C."""


def dump(data: bytes, in_hex: bool = True) -> str:
    """Write bytes as curl does."""
    if not in_hex:
        lines = data.decode("latin-1").split("\r\n")
        return "\n".join(f"{0:04x}: {line}" for line in lines)
    pieces = [data[start : start + 16] for start in range(0, len(data), 16)]
    shown = ["".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece) for piece in pieces]
    return "\n".join(
        f"{16 * number:04x}: {piece.hex(' '):<47} {text}"
        for number, (piece, text) in enumerate(zip(pieces, shown, strict=True))
    )


def xxd(data: bytes) -> bytes:
    """Write bytes as xxd does."""
    pieces = [data[start : start + 16] for start in range(0, len(data), 16)]
    shown = ["".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece) for piece in pieces]
    lines = zip(range(0, len(data), 16), pieces, shown, strict=True)
    return "".join(f"{at:08x}: {one.hex(' ', -2):<39}  {text}\n" for at, one, text in lines).encode()


def hexdump(data: bytes) -> bytes:
    """Write bytes as hexdump -C does."""
    lines = []
    for at in range(0, len(data), 16):
        left, right = data[at : at + 8].hex(" "), data[at + 8 : at + 16].hex(" ")
        lines.append(f"{at:08x}  {left}  {right}".ljust(60) + "|................|\n")
    return "".join([*lines, f"{len(data):08x}\n"]).encode()
