"""What ``tagtray bench --end-to-end`` prints: a run, and decode and forward alone beside it."""

from __future__ import annotations

from pathlib import Path

from tagtray.app import end_to_end
from tagtray.app.end_to_end import EndToEnd
from tagtray.cli import streams
from tagtray.cli.bench import report
from tagtray.config.settings import Settings


def measure(settings: Settings, folder: Path) -> EndToEnd:
    """Measure, with a line on standard error for each part."""
    return end_to_end.measure(settings, folder, streams.say)


def write(found: EndToEnd) -> None:
    """Print it as text."""
    few = "too few images to say"
    split = report.split(found.workers, found.threads)
    how = f"{found.engine} in {found.precision}, {split}, batches of {found.batch_size}"
    steady = found.steady_images_per_second
    rows = [
        ("settings", how),
        ("images", f"{found.images:,}"),
        ("whole run", f"{found.seconds:,.1f} s"),
        ("first result", f"after {found.first_result_seconds:,.1f} s"),
        ("steady", f"{steady:,.1f} images/s" if steady else few),
        ("decode and forward", f"{found.ceiling_images_per_second:,.1f} images/s alone"),
        ("efficiency", few if found.efficiency is None else f"{found.efficiency:.2f}"),
    ]
    for name, value in rows:
        print(f"{name:<19} {value}")
