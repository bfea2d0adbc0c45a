"""All settings: one frozen class, read from ``TAGTRAY_*`` variables, then from the machine's own file.

See ``tagtray config``.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tagtray.config import machine, urls
from tagtray.config.errors import UsageError
from tagtray.config.hours import Hours

PREFIX = "TAGTRAY_"
ROOT_PREFIX = "TAGTRAY_ROOT_"

#: Worker processes of one host at most.
MAX_WORKERS = 256
#: Seconds that any lease lasts at most: one further ahead was given before a clock was set back.
LONGEST_LEASE = 60.0

#: Characters of a token at least.
LEAST_TOKEN = 8

#: Names of schemas in PostgreSQL that are taken.
SCHEMA = r"^[A-Za-z_][A-Za-z0-9_$-]{0,62}$"

Seconds = Annotated[float, Field(gt=0, le=86_400)]


def _is_plain(token: SecretStr) -> bool:
    text = token.get_secret_value()
    return text.isascii() and text.isprintable() and text == text.strip()


def _data_folder() -> Path:
    """The XDG data folder (https://specifications.freedesktop.org/basedir-spec/latest/)."""
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share", "tagtray")


def _expanded(path: str | Path) -> Path:
    """``path``, absolute, with ``~`` replaced; raises ValueError where that user has no home folder."""
    if os.environ.get("HOME") == "":
        del os.environ["HOME"]  # not set: the system's list of users knows the folder
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise ValueError("set to a folder: this user has no home folder (HOME is not set)") from None


class Settings(BaseSettings):
    """Every tunable of tagtray with its unit and effect."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    home: Path = Field(
        default_factory=_data_folder,
        validate_default=True,
        description="Folder of the database, the embedded Redis and the caches.",
    )
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of the ledger; unset: SQLite in the home folder."
    )
    database_schema: str = Field(
        "public",
        pattern=SCHEMA,
        description="PostgreSQL: schema of the tables and views; it is made where it is missing.",
    )
    redis_url: str | None = Field(
        None, description="Redis of the queue; unset: an embedded one, started when needed."
    )
    queue: str = Field(
        "tagtray",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Name of the RQ queue; ledgers that share a Redis each need their own.",
    )
    queue_max: int = Field(
        4096,
        ge=1,
        le=1_000_000,
        description="High-water mark: images in Redis at most; the rest waits in SQL.",
    )
    chunk: int | None = Field(None, ge=1, le=1024, description="Images per RQ job; unset: the batch size.")
    batch_size: int = Field(16, ge=1, le=1024, description="Images per forward pass; memory grows with it.")
    engine: Literal["auto", "torch", "onnx", "openvino"] = Field(
        "auto", description="What runs the network; auto: the fastest that is installed."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = Field(
        "auto", description="What the network computes in; auto: bf16 where the processor has it, else fp32."
    )
    linger_ms: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="Milliseconds that a worker waits for more jobs to fill its batch; 0: none.",
    )
    workers: int | None = Field(
        None,
        ge=1,
        le=MAX_WORKERS,
        description="Worker processes; unset or auto: as cores, affinity, cgroup and memory allow.",
    )
    nice: int = Field(
        0, ge=0, le=19, description="How far workers stand back behind other programs (nice(1)); 19: last."
    )
    hours: str | None = Field(
        None,
        description="Hours at which workers work, in local time: 22-6, or 12:30-13, 22-6; unset: at all. "
        "Urgent images, which somebody waits for, are classified at any time.",
    )
    lease: float = Field(
        30.0,
        gt=0,
        le=LONGEST_LEASE,
        description="Seconds a worker may be silent before its images go back.",
    )
    attempts: int = Field(
        3, ge=1, le=100, description="Times one image may kill or stall its worker before it is failed."
    )
    read_timeout: Seconds = Field(
        60.0,
        description="Seconds that one file may take to be read; a longer read means that its mount hangs.",
    )
    image_timeout: Seconds = Field(30.0, description="Seconds that one image may take to be decoded.")
    stable: Seconds = Field(
        2.0, description="Seconds without change after which an unclosed file is complete."
    )
    settle: Seconds = Field(
        60.0, description="Seconds that an empty file or one without its end marker is given to be completed."
    )
    rescan: float = Field(15.0, gt=0, le=10_080, description="Minutes between scans for what events missed.")
    poll: bool = Field(False, description="Watch by polling instead of kernel events (network mounts).")
    follow_links: bool = Field(
        False, description="Take in what links that lead out of the folders lead to: as roots of their own."
    )
    exact: bool = Field(
        False, description="Decode at full size, as torchvision does, instead of the fast draft."
    )
    max_pixels: int = Field(
        250_000_000,
        ge=1,
        description="Pixels, of 4 bytes each, that decoding one image may hold in memory: all of them, but "
        "for a JPEG or JPEG 2000, which is scaled as it is decoded, and a TIFF, which is read in bands.",
    )
    max_bytes: int = Field(200_000_000, ge=1, description="Bytes of a file at most.")
    worker_memory: int = Field(
        4 * 2**30,
        ge=2 * 2**30,
        description="Bytes a worker may allocate; an image that needs more is failed, not the machine.",
    )
    tag_min: float = Field(0.3, ge=0, le=1, description="Sum of scores from which a broader tag is stored.")
    features: bool = Field(
        True, description="Keep the network's feature vector of each image (1 KB), which similar photos need."
    )
    xmp: bool = Field(
        False, description="Keep keywords in an XMP file beside each photo, as soon as it is classified."
    )
    on_done: str | None = Field(
        None,
        description="Command of the shell that gets the results of each batch on its standard input, as the "
        "JSON lines of `tagtray export`.",
    )
    host: str = Field(
        "127.0.0.1",
        pattern=r"^[A-Za-z0-9_.:-]{1,255}$",
        description="Address that the web pages listen on; any but this machine's loopback needs a token.",
    )
    port: int = Field(8765, ge=0, le=65_535, description="Port that the web pages listen on; 0: a free one.")
    hosts: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.,\s-]*$",
        description="Further names, with commas between, under which browsers may ask for the web pages; "
        "addresses, localhost and this host's name are always among them.",
    )
    token: SecretStr | None = Field(
        None,
        description="What a program or a browser has to know to use the web pages; unset: nothing.",
    )
    upload_max_bytes: int = Field(20_000_000, ge=1, description="Bytes of an uploaded file at most.")
    upload_max: int = Field(
        64, ge=1, le=10_000, description="Requests with uploads at once; more of them are refused with 429."
    )
    upload_timeout: Seconds = Field(60.0, description="Seconds that a request may take to send its files.")
    upload_wait: Seconds = Field(
        30.0, description="Seconds that a request waits for its results; the work goes on after that."
    )
    upload_days: float = Field(
        30.0, gt=0, le=36_500, description="Days after which uploaded files are removed; results are kept."
    )
    audit_days: float = Field(
        365.0, gt=0, le=36_500, description="Days after which notes of uploads (`tagtray audit`) are removed."
    )
    thumbnails_max_bytes: int = Field(
        5_000_000_000,
        ge=1,
        description="Bytes of the thumbnails that are kept; beyond them those go that nobody looked at for "
        "longest.",
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="Port on which `run`, `watch`, `scan`, `work` show Prometheus metrics; 0: any free one.",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address that the metrics are shown on; 0.0.0.0 is for others to read them."
    )
    log: Literal["text", "json"] = Field(
        "text", description="How log lines are written: for people, or an object of JSON each."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", description="Least severity of log lines on standard error."
    )
    roots: dict[str, Path] = Field(
        default_factory=dict,
        description="Where this host has a root: TAGTRAY_ROOT_<NAME>=/path.",
    )

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return _expanded(value)

    @field_validator("database_url", "redis_url", mode="before")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        return urls.plain(value) if value else None

    @field_validator("token", mode="after")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not (len(value.get_secret_value()) >= LEAST_TOKEN and _is_plain(value)):
            raise ValueError(f"{LEAST_TOKEN} characters or more, of ASCII and without blanks at its ends")
        return value

    @field_validator("hours", mode="after")
    @classmethod
    def _spans(cls, value: str | None) -> str | None:
        if value is not None:
            Hours.parse(value)
        return value

    @field_validator("workers", mode="before")
    @classmethod
    def _auto(cls, value: object) -> object:
        return None if value == "auto" else value

    def wants_work(self, moment: datetime) -> bool:
        """Whether workers are to work at this moment of local time."""
        return self.hours is None or Hours.parse(self.hours).include(moment)

    @property
    def images_per_job(self) -> int:
        """Images of a full RQ job."""
        return self.chunk or self.batch_size


def variable(name: str) -> str:
    """Name of the environment variable of a setting."""
    return PREFIX + name.upper()


def load(**overrides: Any) -> Settings:
    """Read the environment; ``overrides`` (command-line options that were given, not None) win.

    What neither says comes from the machine's file (``config.machine``), else it is the default. Raises
    UsageError with one sentence that names the variable or the file.
    """
    _refuse_unknown(os.environ)
    given = {name: value for name, value in overrides.items() if value is not None}
    roots = {
        key.removeprefix(ROOT_PREFIX).lower(): _folder(key, os.environ[key]) for key in _root_variables()
    }
    home = _home(given)
    kept = {name: value for name, value in machine.read(home).items() if not _source(name, given)}
    try:
        return Settings(roots=roots, **kept, **given)
    except ValidationError as error:
        raise UsageError(_sentence(error, kept, home)) from None


def environment(settings: Settings) -> dict[str, str]:
    """The variables with which another process loads these very settings."""
    names = (settings.model_fields_set | machine.NAMES | {"home"}) - {"roots"}
    given = {"workers": "auto"} | settings.model_dump(include=names, exclude_none=True)
    if settings.token is not None:
        given["token"] = settings.token.get_secret_value()
    roots = {ROOT_PREFIX + name.upper(): str(path) for name, path in settings.roots.items()}
    return {variable(name): str(value) for name, value in given.items()} | roots


def origin(name: str, overrides: Mapping[str, Any] | None = None) -> str:
    """Where a setting's value came from: an option, a variable's name, ``machine.json`` or ``default``."""
    given = overrides or {}
    fallback = machine.FILE if name in machine.read(_home(given)) else "default"
    return _source(name, given) or fallback


def _source(name: str, overrides: Mapping[str, Any]) -> str | None:
    """The option or the variable that sets a setting; None where neither does."""
    if overrides.get(name) is not None:
        return f"--{name.replace('_', '-')}"
    if name == "roots":
        return ", ".join(_root_variables()) or None
    return variable(name) if os.environ.get(variable(name)) else None


def _root_variables() -> list[str]:
    return sorted(key for key, value in os.environ.items() if key.startswith(ROOT_PREFIX) and value)


def _home(given: Mapping[str, Any]) -> Path:
    """The home, before the other settings are known: its machine.json may set them."""
    return _folder(variable("home"), given.get("home") or os.environ.get(variable("home")) or _data_folder())


def _folder(name: str, path: str | Path) -> Path:
    try:
        return _expanded(path)
    except ValueError as error:
        raise UsageError(f"{name} has to be {error}.") from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {variable(name) for name in Settings.model_fields if name != "roots"}
    for key, value in environ.items():
        if value and key.startswith(PREFIX) and key not in known and not key.startswith(ROOT_PREFIX):
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `tagtray config` lists them all."
            raise UsageError(f"{key} is not a setting of tagtray{hint}")


def _sentence(error: ValidationError, kept: Mapping[str, Any], home: Path) -> str:
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else "settings"
    name = field if field.isupper() else variable(field)
    if field in kept:
        name = f"{machine.path(home)}: {field}"
    message = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    message = message.partition(", unable to ")[0] + (" or auto" if field == "workers" else "")
    value = "" if field == "token" else f"={first['input']}"
    return f"{name}{value} is not accepted: it should be {message}."
