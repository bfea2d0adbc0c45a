"""What a name alone says about a file; called for every entry of a scan, so only set look-ups."""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What the producer does with a name."""

    REGISTER = "register"  #: becomes a row; its content is the judge
    SKIP = "skip"  #: text, video, audio, archive or sidecar: counted, never opened
    IGNORE = "ignore"  #: hidden or temporary: not even counted


def _extensions(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


#: Extensions under which programs keep what they are still writing.
TEMPORARY = _extensions(
    "part partial crdownload download opdownload filepart tmp temp !ut !qb bc! aria2 dtapart xltd swp swo swx"
)

TEXT = _extensions(
    "txt text md markdown rst log nfo csv tsv json jsonl ndjson xml yaml yml toml ini cfg conf properties "
    "html htm xhtml css js mjs ts py pyc c h cpp hpp cc java go rs rb php pl sh bash bat cmd ps1 sql tex bib "
    "pdf doc docx docm dot odt ods odp rtf xls xlsx xlsm ppt pptx pps key pages numbers epub mobi azw3 "
    "srt vtt ass url webloc lnk eml ics vcf gpx kml db sqlite sqlite3"
)
VIDEO = _extensions(
    "mp4 m4v mov qt avi mkv webm wmv asf flv f4v mpg mpeg mpe m2v mts m2ts vob 3gp 3g2 ogv mxf insv "
    "lrv divx rm rmvb"
)
AUDIO = _extensions(
    "mp3 wav flac aac m4a m4b ogg oga opus wma aif aiff aifc amr mid midi ape mka caf m3u m3u8"
)
ARCHIVE = _extensions(
    "zip tar gz tgz bz2 tbz2 xz txz 7z rar zst lz4 lzma cab iso img dmg jar apk deb rpm whl vhd vmdk qcow2"
)
#: Settings and previews that photo programs and cameras keep beside a picture.
SIDECAR = _extensions(
    "xmp aae thm pp3 dop cos cosessiondb mie vrd on1 nksc arp acr exif lrprev lrcat lrdata md5 sha256"
)

_SKIPPED = TEXT | VIDEO | AUDIO | ARCHIVE | SIDECAR

#: Files that operating systems leave in every folder, in lower case.
_IGNORED_FILES = frozenset({b"thumbs.db", b"ehthumbs.db", b"ehthumbs_vista.db", b"desktop.ini", b"icon\r"})

#: Folders of NAS systems, bins and archivers, in lower case (hidden ones are ignored anyway).
_IGNORED_DIRS = frozenset(
    {
        b"@eadir",  # Synology thumbnails
        b"@tmp",
        b"@recycle",  # QNAP bin
        b"#recycle",  # Synology bin
        b"#snapshot",
        b"$recycle.bin",
        b"system volume information",
        b"lost+found",
        b"__macosx",
    }
)

#: Folders in which photo programs keep their own copies, by the end of their names, in lower case.
_CACHES = (b".lrdata",)
#: Libraries of photo programs, by the end of their names; the originals lie in few of their folders.
_LIBRARIES = (b".photoslibrary", b".photolibrary", b".migratedphotolibrary", b".aplibrary")
_ORIGINALS = frozenset({b"originals", b"masters"})

#: A leading dot hides; ``~$`` is the owner file of an office program.
_IGNORED_PREFIXES = (b".", b"~$")


def classify_name(name: bytes) -> Kind:
    """Judge the last component of a path, case-insensitively."""
    if name.startswith(_IGNORED_PREFIXES) or name.endswith(b"~"):
        return Kind.IGNORE
    lowered = name.lower()
    _, dot, extension = lowered.rpartition(b".")
    if lowered in _IGNORED_FILES or (dot and extension in TEMPORARY):
        return Kind.IGNORE
    return Kind.SKIP if dot and extension in _SKIPPED else Kind.REGISTER


def is_ignored_dir(name: bytes) -> bool:
    """Whether a folder of that name is never entered (hidden ones, ``@eaDir``, bins)."""
    return name.startswith(b".") or name.lower() in _IGNORED_DIRS


def is_cache(folder: bytes) -> bool:
    """Whether a folder (its path) holds another program's previews or bin: Photos, Lightroom, Nextcloud."""
    parent, _, name = folder.lower().rpartition(b"/")
    parent = parent.rpartition(b"/")[2]
    if parent.endswith(_LIBRARIES):
        return name not in _ORIGINALS
    if parent.startswith(b"appdata_"):
        return name == b"preview"
    return name == b"files_trashbin" or name.endswith(_CACHES)
