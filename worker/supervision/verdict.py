"""Which image a worker died of, if any, and what its row says then."""

from __future__ import annotations

from dataclasses import dataclass

from tagtray.config.errors import ImageCode
from tagtray.worker.supervision.limits import Limits
from tagtray.worker.supervision.progress import Phase, Snapshot

_CRASHES = {
    Phase.DECODE: "The decoder crashes on this file and takes its worker with it.",
    Phase.FORWARD: "The network crashes on this image and takes its worker with it.",
}
_HANGS = {
    Phase.DECODE: "Decoding takes longer than {:g} s (TAGTRAY_IMAGE_TIMEOUT).",
    Phase.FORWARD: "The network does not answer for this image within {:g} s.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The image to blame, with a code and a sentence."""

    image_id: int
    code: ImageCode
    message: str


def judge(last: Snapshot, hung: Snapshot | None, limits: Limits) -> Verdict | None:
    """Whom to blame for a death, from the marker that was left and the one that the worker was killed over.

    None: nobody. A read, a ledger call or a batch of several images is no image's fault, and neither is what
    a worker had just begun when it was killed over something else.
    """
    if not last.image_id or last.phase not in _CRASHES:
        return None
    if hung is None:
        return Verdict(last.image_id, ImageCode.CRASHED_WORKER, _CRASHES[last.phase])
    if hung != last:
        return None
    return Verdict(last.image_id, ImageCode.TIMEOUT, _HANGS[last.phase].format(limits[last.phase]))
