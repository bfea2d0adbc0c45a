"""The tables of ``docs/performance.md``, from what the benchmarks wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"

#: Images of a benchmark, in words.
INPUTS = {
    "camera": "JPEGs of 12 megapixels",
    "small": "JPEGs of about 500 x 375",
    "mixed": "HEIC, PNG, WebP and JPEG in turns",
}
#: What the ablations compare, in words.
GROUPS = {
    "decode_camera": "decoding a JPEG of 12 megapixels, one core",
    "decode_small": "decoding a JPEG of about 500 x 375, one core",
    "network": "the network in fp32 on one core, each way with one step more",
    "precision": "the network by engine and precision, one core",
    "sharing_camera": "all cores, decode and forward, 12 megapixels",
    "sharing_small": "all cores, decode and forward, about 500 x 375",
}

#: Rows of the table of scale: words, and where the figure is.
SCALE = (
    ("new files registered, per second and core", "register/files_per_second"),
    ("unchanged files looked at, per second and core", "rescan/files_per_second"),
    ("producer, MB at most", "register/peak_mb"),
    ("feed, ms per image", "ms_per_image/feed"),
    ("claim, ms per image", "ms_per_image/claim"),
    ("commit, ms per image", "ms_per_image/commit"),
    ("what `status` asks, ms", "ms_per_look/status"),
    ("what the progress of `run` asks, ms", "ms_per_look/run_progress"),
    ("1 process that claims and commits, images/s", "processes/1/images_per_second"),
    ("2 processes", "processes/2/images_per_second"),
    ("4 processes", "processes/4/images_per_second"),
)
#: Rows of the table of exchange: words, and where the seconds and the megabytes are.
EXCHANGE = (
    ("export as JSONL", "jsonl"),
    ("export as CSV", "csv"),
    ("export as Parquet", "parquet"),
    ("import of the JSONL into an empty ledger", "import"),
    ("`tagtray stats`", "stats"),
    ("sidecars for {photos:,} photos", "sidecars/write"),
    ("the same again, nothing has changed", "sidecars/again"),
    ("`--undo` of them", "sidecars/undo"),
)
#: Loads of the web service, in words.
WEB = {
    "load": "10 at a time",
    "alone": "one at a time",
    "cached": "10 at a time, the same photo again and again",
}
#: Work on own tags and features, in words.
TAUGHT = {
    "an own tag learned from 10 examples and put on all": "learn_and_apply",
    "of it reading all vectors": "of_it_reading_all_vectors",
    "the index of vectors, made once": "index",
    "`duplicates --near`, candidates alone": "near",
}
#: Databases, as they are called.
SERVERS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
#: Ways that memory was measured in, and what of it is shown.
MEMORY = ("torch-fp32", "openvino-int8")
MEMORY_ROWS: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    (
        "PyTorch and the network, eager, after one forward of 16 images",
        lambda found: f"{found['bare_mb']:.0f} MB",
    ),
    ("a worker after its first batches", lambda found: f"{found['worker_first_batches_mb']:.0f} MB"),
    ("images of the run", lambda found: f"{found['images']:,}"),
    ("a worker at its end", lambda found: f"{found['worker_last_mb']:.0f} MB"),
    (
        "slope over its second half, a worker, per 1,000 images",
        lambda found: f"{found['worker_bytes_per_1000_images'] / 1024:.1f} KiB",
    ),
    (
        "the same, `tagtray run`",
        lambda found: f"{found['run_bytes_per_1000_images'] / 1024:.1f} KiB",
    ),
)
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

Median = Sequence[float]


def comparison() -> str:
    """The peer, tagtray and the upper bound on every input."""
    return "\n".join(_comparison(name, words) for name, words in INPUTS.items())


def ablations() -> str:
    """Every choice on the hot path with and without it."""
    found = read("ablations")
    rows = []
    for group, words in GROUPS.items():
        ways = found[group]
        first = next(iter(ways.values()))
        rows += [(words, name, _median(ms), f"{first[1] / ms[1]:.2f}") for name, ms in ways.items()]
    return table(("what", "way", "ms per image", "times the first"), rows)


def stages() -> str:
    """Where a worker's time goes."""
    median = read("stages")["median"]
    camera, small = median["camera"], median["small"]
    rows: list[tuple[str, ...]] = [
        (name, f"{camera[name][1]:.2f}", f"{small[name][1]:.2f}") for name in camera
    ]
    rows.append(("together", *(f"{sum(ms[1] for ms in size.values()):.1f}" for size in (camera, small))))
    return table(("ms per image", "12 megapixels", "500 x 375"), rows)


def startup() -> str:
    """The way to the first result."""
    found = {name: figures for name, figures in read("startup").items() if isinstance(figures, Mapping)}
    found.pop("machine")
    steps = [(kind, step) for kind in ("run", "worker_cpu") for step in next(iter(found.values()))[kind]]
    rows = [
        (
            f"{'a worker, CPU: ' if kind == 'worker_cpu' else ''}{step.replace('_', ' ')}",
            *(f"{engine[kind][step][1]:.2f} s" for engine in found.values()),
        )
        for kind, step in steps
    ]
    return table(("", *found), rows)


def latency() -> str:
    """A dropped photo's way on an idle machine."""
    found = read("latency")
    ways = {"to its row": found["row_ms"], "to its result": found["result_ms"]}
    rows = [(words, *(f"{ms[name]:.1f} ms" for name in ("p50", "p95", "max"))) for words, ms in ways.items()]
    return table(("from the end of its writing", "p50", "p95", "most"), rows)


def overhead() -> str:
    """What an image costs beside decoding and the network."""
    cpu = read("overhead")["cpu_ms_per_image"]
    least = next(iter(cpu.values()))[1]
    rows = [(way, f"{_median(ms, 2)} ms", f"{ms[1] / least:.1f}") for way, ms in cpu.items()]
    return table(("CPU per image", "", "times the first"), rows)


def agreement() -> str:
    """Other engines and precisions, and drafts, against what they stand for."""
    found = read("agreement")
    ways = {**found["engines_vs_torch_fp32"], "draft, 12 megapixels": found["draft_vs_exact_12mp"]}
    rows = [
        (
            way,
            f"{figures['top1_flips']} of {figures['images']}",
            f"{figures['score_difference_mean']:.4f}",
            f"{figures['score_difference_max']:.3f}",
        )
        for way, figures in ways.items()
    ]
    return table(("", "other first label", "mean difference of its score", "largest"), rows)


def heic() -> str:
    """Ways to decode a HEIC, and what its thumbnails change."""
    found = read("heic")
    rows = []
    for way, milliseconds in found["cpu_ms_per_image"].items():
        figures = found["against_the_whole_image"].get(way)
        flips = f"{figures['top1_flips']} of {figures['images']}" if figures else ""
        difference = f"{figures['score_difference_mean']:.3f}" if figures else ""
        rows.append((way, f"{milliseconds[1]:.0f}", flips, difference))
    head = ("a HEIC of 12 megapixels", "ms of CPU", "other first label", "mean difference of its score")
    return table(head, rows)


def scale() -> str:
    """What the ledger costs as it grows."""
    figures = read("scale")["figures"]
    places = [(name, size) for name in figures for size in figures[name]]
    head = ["", *(f"{DATABASES[name]}, {int(size):,}" for name, size in places)]
    rows = [[words, *(_at(figures[name][size], path) for name, size in places)] for words, path in SCALE]
    return table(head, rows)


def exchange() -> str:
    """What goes out and comes in, of how many images, and how long it takes; what was measured of it."""
    figures = read("exchange")["figures"]
    rows = []
    for words, path in EXCHANGE:
        if path.split("/")[0] not in figures:
            continue
        found: Any = figures
        for step in path.split("/"):
            found = found[step]
        name = words.format(photos=figures["sidecars"]["photos"])
        cpu = f"{found['cpu_seconds']:,.1f} s" if "cpu_seconds" in found else ""
        rows.append((name, f"{found['seconds']:,.1f} s", cpu, f"{found['megabytes']:,} MB"))
    return table((f"SQLite, {figures['images']:,} images", "", "of the CPU", "memory at most"), rows)


def search() -> str:
    """What a first page costs, by what is asked, on each database."""
    figures = read("search")["figures"]
    head = [""]
    for name, found in figures.items():
        head += [f"{SERVERS[name]}, {found['images']:,} images: p50, p95", "of the CPU"]
    rows = [
        (kind, *(cell for found in figures.values() for cell in _pages(found, kind)))
        for kind in next(iter(figures.values()))["ms"]
    ]
    sizes = [cell for found in figures.values() for cell in (f"{found['bytes']:,}", "")]
    rows.append(("bytes for each image, without features", *sizes))
    return table(head, rows)


def _pages(found: Mapping[str, Any], kind: str) -> tuple[str, str]:
    whole, cpu = (found[clock][kind] for clock in ("ms", "cpu_ms"))
    return f"{whole['p50']:.0f}, {whole['p95']:.0f} ms", f"{cpu['p50']:.0f}, {cpu['p95']:.0f} ms"


def taught() -> str:
    """What own tags, similar photos and near duplicates take in large collections."""
    sizes = {
        f"{SERVERS[name]}, {int(size):,}": found
        for name, by_size in read("taught").items()
        if name in SERVERS
        for size, found in by_size.items()
    }
    rows = [
        (
            words,
            *(
                f"{found[kind]['seconds']:,.1f} s ({found[kind]['cpu_seconds']:,.1f})"
                for found in sizes.values()
            ),
        )
        for words, kind in TAUGHT.items()
    ]
    similar = [found["similar_ms"] for found in sizes.values()]
    rows.append(("`similar`: p50, p95", *(f"{ms['p50']:.0f}, {ms['p95']:.0f} ms" for ms in similar)))
    rows.append(("memory more than before", *(f"{found['megabytes_more']:,} MB" for found in sizes.values())))
    return table(("of the CPU in brackets", *sizes), rows)


def web() -> str:
    """What POST /predict takes with each precision, and the peer's service."""
    rows = []
    for name, found in read("web-small").items():
        service, _, how = name.partition("-")
        if service == "flask":
            rows.append(_served(f"the peer, {how.replace('-', ' ')}, 10 at a time", found))
        elif service == "auto":
            rows += [_served(f"{how}, {words}", found[kind]) for kind, words in WEB.items()]
            alone = f"{found['decode_and_forward_ms']:.1f} ms"
            rows.append((f"{how}, decode and forward by themselves", "", alone, "", "", ""))
    return table(("", "requests/s", "p50", "p95", "p99", "CPU of a request"), rows)


def _served(words: str, found: Mapping[str, float]) -> tuple[str, ...]:
    waited = (f"{found[name]:.1f} ms" for name in ("p50_ms", "p95_ms", "p99_ms"))
    return words, f"{found['per_second']:.1f}", *waited, f"{found['cpu_ms_per_request']:.1f} ms"


def memory() -> str:
    """What a worker holds, at first and after many images."""
    ways = {way: read(f"memory-{way}") for way in MEMORY}
    rows = [[words, *(form(found) for found in ways.values())] for words, form in MEMORY_ROWS]
    return table(("", *(in_words(way) for way in ways)), rows)


def in_words(way: str) -> str:
    """ENGINE-PRECISION[-IMAGES], the images to an RQ job where they are not a batch."""
    engine, precision, *images = way.split("-")
    return f"{engine} {precision}" + "".join(f", RQ jobs of {count}" for count in images)


def read(name: str) -> Mapping[str, Any]:
    """What a benchmark wrote."""
    found: Mapping[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _comparison(name: str, words: str) -> str:
    report = read(name)
    median = report["median"]
    peer = median["peer_seconds"]
    rows: list[tuple[str, ...]] = [
        ("the peer", f"{_median(peer)} s", "1", "", f"{report['images'] / peer[1]:.1f}", "", "")
    ]
    rows += [_way(way, figures) for way, figures in median.items() if way != "peer_seconds"]
    head = (
        "",
        "whole process",
        "times faster",
        "first result",
        "steady images/s",
        "decode and forward alone",
        "efficiency",
    )
    title = f"**{report['images']:,} {words}**, {report['runs']} runs in turns, {_machine(report)}\n\n"
    return title + table(head, rows)


def _way(way: str, figures: Mapping[str, Median]) -> tuple[str, ...]:
    return (
        in_words(way),
        f"{_median(figures['seconds'])} s",
        _median(figures["times_faster"], 2),
        f"{figures['first_result_seconds'][1]:.1f} s",
        f"{figures['steady_per_second'][1]:.1f}",
        f"{figures['ceiling_per_second'][1]:.1f}",
        _median(figures["efficiency"], 2),
    )


def _machine(report: Mapping[str, Any]) -> str:
    machine = report["machine"]
    return f"{machine['cores']} cores of {machine['processor']} ({machine['instructions']}), {report['date']}"


def _median(figures: Median, digits: int = 1) -> str:
    least, median, most = figures
    return f"{median:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def _at(found: Any, path: str) -> str:
    """The median at ``path``, with three digits; empty where it was not measured."""
    for part in path.split("/"):
        found = found.get(part) if found else None
    if found is None:
        return ""
    median = found[1] if isinstance(found, list) else found
    return f"{median:,.0f}" if median >= 100 else f"{median:.3g}"
