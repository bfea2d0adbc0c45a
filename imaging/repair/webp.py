"""The chunks of a WebP that its pixels need (RFC 9649: a RIFF of names and lengths, padded to even)."""

from __future__ import annotations

import struct

from tagtray.imaging.repair.parts import Parts

_PIXELS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})
_INFO = {b"EXIF": "exif", b"XMP ": "xmp"}
#: Bits of a VP8X chunk that announce a profile, EXIF and XMP.
_ANNOUNCED = 0x2C


def parts(data: bytes) -> Parts:
    """The WebP without its metadata, and with the length that it has."""
    kept: list[bytes] = []
    info: dict[str, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        content = data[at + 8 : at + 8 + length]
        if name in _INFO:
            info[_INFO[name]] = content
        elif name in _PIXELS and 0 < len(content) == length:
            if name == b"VP8X":
                content = bytes([content[0] & ~_ANNOUNCED]) + content[1:]
            kept += [name, struct.pack("<I", length), content, b"\0" * (length & 1)]
        at += 8 + length + (length & 1)
    body = b"".join([b"WEBP", *kept])
    return Parts(b"RIFF" + struct.pack("<I", len(body)) + body, info)
