"""Keep libtiff from writing its complaints about a file to standard error, past logging."""

from __future__ import annotations

import contextlib
import ctypes


def silence() -> None:
    """Take away libtiff's two handlers, which Pillow leaves as they are (TIFFError(3tiff): NULL is silence).

    The library is the one that is loaded, found in Linux's memory map; on other systems nothing is done.
    """
    with contextlib.suppress(OSError, AttributeError):
        for path in _loaded():
            library = ctypes.CDLL(path)
            for setter in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
                setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
                setter(None)


def _loaded() -> set[str]:
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        paths = {line.split(maxsplit=5)[5].rstrip("\n") for line in maps if "/libtiff" in line}
    return {path for path in paths if path.rpartition("/")[2].startswith("libtiff")}
