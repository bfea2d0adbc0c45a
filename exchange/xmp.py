"""XMP sidecars: keywords added to one, and taken out again; whatever else it holds stays.

The keywords stand where photo programs look for them: ``dc:subject`` (every level; read by all),
``lr:hierarchicalSubject`` (Lightroom, darktable) and ``digiKam:TagsList`` (digiKam). XMP is ISO 16684-1.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lxml import etree

from tagtray.config.errors import TagtrayError
from tagtray.exchange.keywords import Keywords

_X = "adobe:ns:meta/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
}
_ARRAYS = {f"{{{_RDF}}}{name}" for name in ("Bag", "Seq", "Alt")}
_ITEM, _DESCRIPTION, _ABOUT = f"{{{_RDF}}}li", f"{{{_RDF}}}Description", f"{{{_RDF}}}about"

#: Of each property: its namespace, its name, and whether the order of its items counts.
_PROPERTIES = {
    "dc:subject": ("dc", "subject", "Bag"),
    "lr:hierarchicalSubject": ("lr", "hierarchicalSubject", "Bag"),
    "digiKam:TagsList": ("digiKam", "TagsList", "Seq"),
}

_DECLARATION = "<?xml "

#: By property, the keywords that were added to it.
Added = Mapping[str, Sequence[str]]

_NEW = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="{_X}" x:xmptk="tagtray">
 <rdf:RDF xmlns:rdf="{_RDF}">
  <rdf:Description rdf:about="" {" ".join(f'xmlns:{name}="{uri}"' for name, uri in _NAMESPACES.items())}/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()


class SidecarError(TagtrayError):
    """A sidecar cannot be changed; the message is a sentence from its verb on, without a full stop."""


def add(data: bytes | None, keywords: Keywords) -> tuple[bytes, Added]:
    """The sidecar with the keywords (``data`` None: a new one), and which of them were not in it before.

    Raises SidecarError.
    """
    packet = _Packet(_NEW if data is None else data)
    wanted = {
        "dc:subject": keywords.words,
        "lr:hierarchicalSubject": _joined("|", keywords),
        "digiKam:TagsList": _joined("/", keywords),
    }
    added = {name: packet.add(name, items) for name, items in wanted.items()}
    return packet.text(), added


def remove(data: bytes, added: Added) -> bytes:
    """The sidecar without the keywords that ``add`` put into it; raises SidecarError."""
    packet = _Packet(data)
    for name, items in added.items():
        packet.remove(name, items)
    return packet.text()


def _joined(separator: str, keywords: Keywords) -> list[str]:
    return [separator.join(word.replace(separator, "-") for word in path) for path in keywords.paths]


class _Packet:
    """A sidecar's XML."""

    def __init__(self, data: bytes) -> None:
        # Entities and other files are none of XMP's.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, strip_cdata=False)
        try:
            root = etree.fromstring(data, parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            raise SidecarError(f"is broken XML ({str(error).partition(', line')[0]})") from None
        info: Any = root.getroottree().docinfo
        if info.doctype:
            raise SidecarError("has a document type, as no XMP has")
        self._root = root
        self._mark = data[:3] if data.startswith(codecs.BOM_UTF8) else b""
        is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        self._encoding = "UTF-16" if is_utf16 else info.encoding or "UTF-8"
        try:
            codecs.lookup(self._encoding)
        except LookupError:
            raise SidecarError(f"is in the encoding {self._encoding}, which is not written here") from None
        opening = data[: len(_DECLARATION) * 2 + 4].decode(self._encoding, "ignore").lstrip("\ufeff")
        self._is_declared = opening.startswith(_DECLARATION)
        rdf = root if root.tag == f"{{{_RDF}}}RDF" else root.find(f"{{{_RDF}}}RDF")
        if rdf is None:
            raise SidecarError("is no XMP")
        self._rdf = rdf

    def text(self) -> bytes:
        """The whole in the encoding that it had, with a line break between what stands side by side."""
        around = [*reversed(list(self._root.itersiblings(preceding=True))), self._root]
        around += self._root.itersiblings()
        parts = [etree.tostring(node, encoding="unicode", with_tail=False) for node in around]
        if self._is_declared:
            parts.insert(0, f'{_DECLARATION}version="1.0" encoding="{self._encoding}"?>')
        text = "".join(f"{part}\n" for part in parts)
        return self._mark + text.encode(self._encoding, "xmlcharrefreplace")

    def add(self, name: str, items: Sequence[str]) -> list[str]:
        """Add those of ``items`` that are not there; which they were."""
        arrays = list(self._arrays(name))
        known = {(item.text or "").strip() for array in arrays for item in array.iterfind(_ITEM)}
        new = [item for item in items if item not in known]
        if new:
            array = arrays[0] if arrays else self._new_array(name)
            for text in new:
                try:
                    etree.SubElement(array, _ITEM).text = text
                except ValueError:
                    raise SidecarError(f"cannot hold the keyword {text!r}") from None
            etree.indent(array, " ", level=_depth(array))
        return new

    def remove(self, name: str, items: Sequence[str]) -> None:
        """Take ``items`` out, and the property with the last of its items."""
        for array in list(self._arrays(name)):
            ours = [item for item in array.iterfind(_ITEM) if item.text in items]
            for item in ours:
                array.remove(item)
            prop = array.getparent()
            if ours and len(array) == 0 and prop is not None:
                _take_out(prop)
            elif ours:
                etree.indent(array, " ", level=_depth(array))

    def _arrays(self, name: str) -> Iterator[etree._Element]:
        """The arrays that hold a property, of which a description has one at most."""
        prefix, local, _ = _PROPERTIES[name]
        tag = f"{{{_NAMESPACES[prefix]}}}{local}"
        for description in self._rdf.iterfind(_DESCRIPTION):
            if tag in description.attrib:
                raise SidecarError(f"has {name} in a form that is not understood")
            for prop in description.iterfind(tag):
                if len(prop) != 1 or prop[0].tag not in _ARRAYS:
                    raise SidecarError(f"has {name} in a form that is not understood")
                yield prop[0]

    def _new_array(self, name: str) -> etree._Element:
        prefix, local, kind = _PROPERTIES[name]
        owner = self._rdf.find(_DESCRIPTION)
        if owner is None:
            owner = etree.SubElement(self._rdf, _DESCRIPTION, {_ABOUT: ""})
            etree.indent(self._rdf, " ", level=_depth(self._rdf))
        uri = _NAMESPACES[prefix]
        prop = etree.SubElement(owner, f"{{{uri}}}{local}", nsmap={prefix: uri})
        array = etree.SubElement(prop, f"{{{_RDF}}}{kind}")
        _lay_out(owner, prop)
        return array


def _lay_out(owner: etree._Element, prop: etree._Element) -> None:
    """Put the last child of ``owner`` on a line of its own."""
    inner = "\n" + " " * (_depth(owner) + 1)
    before = prop.getprevious()
    after = inner[:-1] if before is None else before.tail
    if before is None:
        owner.text = inner
    else:
        before.tail = inner
    etree.indent(prop, " ", level=_depth(prop))
    prop.tail = after


def _take_out(prop: etree._Element) -> None:
    """Remove an element with its line."""
    owner, before = prop.getparent(), prop.getprevious()
    assert owner is not None, "a property stands in a description"
    if before is not None:
        before.tail = prop.tail
    owner.remove(prop)


def _depth(element: etree._Element) -> int:
    return sum(1 for _ in element.iterancestors())
