"""Sidecars of several programs: keywords go in and come out, and all else stays."""

from __future__ import annotations

import pytest
from lxml import etree

from tagtray.exchange import xmp
from tagtray.exchange.keywords import Keywords
from tagtray.exchange.xmp import SidecarError

KEYWORDS = Keywords(("animal", "dog", "car"), (("animal", "dog"), ("car",)))
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"

#: As darktable and digiKam (Exiv2) write it, shortened: five keywords, a rating, an edit history.
FOREIGN = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:darktable="http://darktable.sf.net/"
   xmp:Rating="4"
   darktable:history_end="11">
   <dc:subject>
    <rdf:Bag>
     <rdf:li>Rex</rdf:li>
     <rdf:li>dog</rdf:li>
     <rdf:li>Müller &amp; Söhne</rdf:li>
     <rdf:li>Urlaub</rdf:li>
     <rdf:li>2024</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <darktable:history><rdf:Seq><rdf:li darktable:num="0"/></rdf:Seq></darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""


def _items(data: bytes, local: str) -> list[str]:
    (found,) = [prop for prop in etree.fromstring(data).iter("{*}*") if etree.QName(prop).localname == local]
    return [str(item.text) for item in found.iter(f"{RDF}li")]


def test_a_new_sidecar_has_what_three_programs_read() -> None:
    data, added = xmp.add(None, KEYWORDS)

    assert _items(data, "subject") == ["animal", "dog", "car"]
    assert _items(data, "hierarchicalSubject") == ["animal|dog", "car"]
    assert _items(data, "TagsList") == ["animal/dog", "car"]
    assert added["dc:subject"] == ["animal", "dog", "car"]
    assert data.startswith(b"<?xpacket begin=") and data.endswith(b'<?xpacket end="w"?>\n')


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_foreign_keywords_stay_and_ours_come_and_go(encoding: str) -> None:
    # Given a sidecar of another program, which has a word of ours already
    data = FOREIGN.replace("UTF-8", encoding.removesuffix("-sig")).encode(encoding)

    # When keywords are added and removed again
    tagged, added = xmp.add(data, KEYWORDS)
    cleared = xmp.remove(tagged, added)

    # Then in between there are all of them, each once, and afterwards those of before
    assert _items(tagged, "subject") == ["Rex", "dog", "Müller & Söhne", "Urlaub", "2024", "animal", "car"]
    assert added["dc:subject"] == ["animal", "car"]
    assert etree.canonicalize(cleared.decode(encoding).partition("?>")[2]) == (
        etree.canonicalize(data.decode(encoding).partition("?>")[2])
    )
    assert tagged[:40] == data[:40]
    again, _ = xmp.add(tagged, KEYWORDS)
    assert again == tagged


def test_what_else_a_sidecar_holds_is_left_alone() -> None:
    tagged, _ = xmp.add(FOREIGN.encode(), KEYWORDS)
    assert (
        b'xmp:Rating="4"' in tagged and b'<darktable:history><rdf:Seq><rdf:li darktable:num="0"/>' in tagged
    )
    assert b"XMP Core 4.4.0-Exiv2" in tagged


def test_a_sidecar_without_a_description_gets_one() -> None:
    bare = b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>'
    assert _items(xmp.add(bare, KEYWORDS)[0], "subject") == ["animal", "dog", "car"]


def test_keywords_are_found_in_whichever_description_they_stand() -> None:
    second = FOREIGN.replace(
        "  <rdf:Description rdf:about=", '  <rdf:Description rdf:about=""/>\n  <rdf:Description rdf:about=', 1
    )
    tagged, added = xmp.add(second.encode(), KEYWORDS)
    assert added["dc:subject"] == ["animal", "car"]
    assert len(_items(tagged, "subject")) == 7


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is broken XML"),
        (FOREIGN.encode()[:600], "is broken XML"),
        (b"\xff\xfe" + FOREIGN.encode(), "is broken XML"),
        (b"<html/>", "is no XMP"),
        (b'<!DOCTYPE x [<!ENTITY e "e">]>' + FOREIGN.encode().partition(b"\n")[2], "has a document type"),
        (FOREIGN.replace('xmp:Rating="4"', 'dc:subject="x"').encode(), "has dc:subject in a form"),
        (
            FOREIGN.replace("<rdf:Bag>", "<rdf:Other>").replace("</rdf:Bag>", "</rdf:Other>").encode(),
            "has dc:subject in a form that is not understood",
        ),
    ],
)
def test_what_is_no_sound_xmp_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(SidecarError, match=reason):
        xmp.add(data, KEYWORDS)


def test_an_empty_array_of_others_stays() -> None:
    empty = (
        FOREIGN.partition("<rdf:li>Rex")[0]
        + "</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    tagged, added = xmp.add(empty.encode(), Keywords((), (("a/b", "c|d"),)))
    assert added["lr:hierarchicalSubject"] == ["a/b|c-d"] and added["digiKam:TagsList"] == ["a-b/c|d"]
    assert b"dc:subject" in xmp.remove(tagged, added)


def test_a_keyword_that_xml_cannot_hold_is_refused() -> None:
    with pytest.raises(SidecarError, match="cannot hold the keyword"):
        xmp.add(None, Keywords(("a\x01",), ()))
