"""The model of config.yml: every key with its default, its meaning and its limits.

`config.yml.example` is made from this model. Every key has a default, so a file with a single section is a whole
configuration, and no file at all is one too.
"""

import difflib
import itertools
import math
import os
import re
import shlex
import socket
import textwrap
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from chiatea.errors import ConfigurationError
from chiatea.units import exact_bytes, format_duration, parse_bytes, parse_duration

__all__ = [
    "DEFAULT_FILEPATH",
    "BandwidthPeriod",
    "Config",
    "HardwareConfig",
    "ThresholdsConfig",
    "check_folder_names",
    "check_folders",
    "default_filepath",
    "example",
    "load",
]

DEFAULT_FILEPATH: Final = "~/.chia_tea/config/config.yml"


def _seconds(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _bytes(value: object) -> object:
    return parse_bytes(value) if isinstance(value, str) else value


def _rate(value: object) -> object:
    return 0 if value == "" else _bytes(value)


def _pair(value: object) -> object:
    numbers = [_threshold(number) for number in value] if isinstance(value, list | tuple) else []
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise ValueError("should be two numbers, yellow from and red from: [90, 98]")
    warn, bad = numbers[0], numbers[1]
    if warn > bad:
        raise ValueError(f"yellow begins at {warn:g}, after red at {bad:g}: the smaller number comes first")
    return warn, bad


def _threshold(value: object) -> float | None:
    try:
        number = parse_duration(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(number, int | float) or isinstance(number, bool):
        return None
    return float(number) if 0 <= number < 1e15 else None


def _plain_pair(value: tuple[float, float]) -> list[int | float]:
    return [int(number) if number.is_integer() else number for number in value]


def _date(value: object) -> object:
    try:
        return datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise ValueError(f"{value!r} is no day: write it as 2024-01-31") from None


def _minute_of_day(value: object) -> object:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)|24:00", value, re.ASCII) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no time of day: write it as 08:00 or 23:30")
    return int(match[1]) * 60 + int(match[2]) if match[1] else 24 * 60


def _time_of_day(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _suffix(value: str) -> str:
    if not re.fullmatch(r"\.[^/\0\s]+", value):
        raise ValueError(f"{value!r} is no suffix: write it with its dot, as .plot")
    if value.endswith(".copying"):
        raise ValueError(f"{value!r} is what a plot on its way ends in: it is never moved")
    return value


def _path(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    if "\0" in value or not value.strip():
        raise ValueError("is no path: write a path, or leave the key out")
    folder = (info.context or {}).get("folder", Path())
    try:
        path = Path(os.path.expandvars(value)).expanduser()
    except RuntimeError:
        raise ValueError(f"{value!r} begins with the home of a user whom this machine does not know") from None
    return folder / path


def _path_or_none(value: object, info: ValidationInfo) -> object:
    return None if value == "" else _path(value, info)


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(allow_inf_nan=False),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
]
Bytes = Annotated[int, BeforeValidator(_bytes), PlainSerializer(exact_bytes, return_type=str, when_used="json")]
Filepath = Annotated[Path, BeforeValidator(_path)]
OptionalFilepath = Annotated[Path | None, BeforeValidator(_path_or_none)]
Port = Annotated[int, Field(ge=1, le=65535)]
Interval = Annotated[Seconds, Field(ge=0.0, le=86400.0)]
Rate = Annotated[
    int,
    BeforeValidator(_rate),
    Field(ge=0),
    PlainSerializer(exact_bytes, return_type=str, when_used="json"),
]
Date = Annotated[
    float,
    BeforeValidator(_date),
    PlainSerializer(
        lambda time: datetime.fromtimestamp(time, UTC).date().isoformat(), return_type=str, when_used="json"
    ),
]
"""A day, by its first moment in UTC: seconds since the epoch."""
MinuteOfDay = Annotated[
    int, BeforeValidator(_minute_of_day), PlainSerializer(_time_of_day, return_type=str, when_used="json")
]
Suffix = Annotated[str, AfterValidator(_suffix)]
Pair = Annotated[
    tuple[float, float],
    BeforeValidator(_pair),
    PlainSerializer(_plain_pair, return_type=list[int | float], when_used="json"),
]
"""From where on a number is yellow, and from where on red."""
SpoolSize = Annotated[Bytes, Field(ge=10**6, le=10**12)]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True, strict=True
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_the_default(cls, data: object) -> object:
        if data is None:
            return {}
        if not isinstance(data, dict):
            return data
        names = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in data.items() if value is not None or key not in names}


def _default_path(text: str) -> Any:
    """A default that is read as if it stood in the file: relative to its folder."""
    return Field(default=text)


def _default_size(text: str) -> Any:
    """A default that is read as if it stood in the file, with its unit."""
    return Field(default=text)


def _section() -> Any:
    """A section that is not in the file, read as if it stood there empty."""
    return Field(default_factory=dict)


class MachineConfig(_Section):
    """This machine."""

    name: str = Field(default_factory=socket.gethostname, min_length=1, max_length=100)
    """The name that dashboards show. Default: the host's name."""
    state_folder: Filepath = _default_path("~/.chia_tea/state")
    """What must survive a restart: this machine's id, how far its logs are read, what is half copied, the hashes of
    moved plots (26 KB for 100 GiB)."""


class LoggingConfig(_Section):
    """What chia-tea says about itself. On the terminal it goes to stderr."""

    loglevel: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """TRACE, DEBUG, INFO, WARNING or ERROR."""
    log_to_console: bool = True
    """Whether services print their log lines on stderr."""
    log_to_file: bool = True
    """Whether services write their log lines to files too."""
    folder: Filepath = _default_path("~/.chia_tea/log")
    """The folder of those files."""
    max_logfiles: int = Field(default=10, ge=1, le=1000)
    """How many old files of one service are kept."""
    max_logfile_size_mb: int = Field(default=15, ge=1, le=10000)
    """A file that would grow over this many megabytes is ended, and a new one begun."""


class ChiaConfig(_Section):
    """Where Chia is on this machine. A machine without Chia needs nothing here."""

    root: OptionalFilepath = None
    """Chia's own folder. Default: $CHIA_ROOT, else ~/.chia/mainnet."""
    logfile_filepath: OptionalFilepath = None
    """Chia's log. Default: log/debug.log in Chia's folder."""
    plotter_logs: tuple[Filepath, ...] = Field(default=(), strict=False)
    """Logs of plotters (madmax, gigahorse, bladebit, Chia's own), as paths with *, ? and ** where there are many. The
    log of a plotter that runs on this machine with its output to a file is found without that."""
    madmax_logfile: OptionalFilepath = None
    """One more of them, under the first chia-tea's name for it; "" where there is none."""


class HardwareConfig(_Section):
    """What is asked of this machine beside what every system tells."""

    smartctl: str = "smartctl"
    """The command that asks disks for their health (smartmontools 7 or newer), with words before it where it takes
    some, as `sudo -n smartctl`; "" asks none. A disk that sleeps is not woken."""
    smart_every: Seconds = Field(default=600.0, ge=60, le=7 * 86400)
    """How often each disk is asked for its health."""

    @field_validator("smartctl")
    @classmethod
    def _is_a_command(cls, value: str) -> str:
        try:
            shlex.split(value)
        except ValueError:
            raise ValueError(f"is no command: a quotation mark of {value!r} has no other end") from None
        return value


class OldPlotsConfig(_Section):
    """Old plots of which all of this holds."""

    version: Literal[1, 2] | None = None
    suffixes: tuple[Suffix, ...] = Field(default=(), strict=False)
    name: str = Field(default="", max_length=255)
    made_before: Date | None = None
    older_than: Annotated[Seconds, Field(ge=60.0)] | None = None

    @field_validator("name")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        if "/" in value or (value and not value.strip("*")):
            raise ValueError(f"{value!r} is no pattern of some plots' names: write it as plot-k32-2021-*")
        return value


class NewPlotsConfig(_Section):
    """The new plots that a rule is for."""

    suffixes: tuple[Suffix, ...] = Field(default=(), strict=False)


class ReplaceRuleConfig(_Section):
    """One rule of `copy.replace`."""

    name: str = Field(default="", max_length=100)
    old: OldPlotsConfig = _section()
    new: NewPlotsConfig = _section()
    when_full: Literal["write_first", "delete_first"] = "write_first"

    @model_validator(mode="after")
    def _says_which(self) -> "ReplaceRuleConfig":
        old = self.old
        is_by_suffix_alone = not (old.version or old.name or old.made_before or old.older_than)
        if is_by_suffix_alone and not old.suffixes:
            raise ValueError(
                "does not say which plots are old: give `old` a version, suffixes, name, made_before or older_than"
            )
        if is_by_suffix_alone and self.new.suffixes and set(self.new.suffixes) <= set(old.suffixes):
            raise ValueError("is for none: a plot is never deleted for one that the rule calls old as well")
        return self


class TargetGroupConfig(_Section):
    """Target folders of one rank."""

    name: str = Field(min_length=1, max_length=100)
    folders: tuple[Filepath, ...] = Field(strict=False, min_length=1)


class BandwidthPeriod(_Section):
    """A part of each day, over midnight where `until` comes before `from`. Times are minutes of the day."""

    from_: MinuteOfDay = Field(alias="from")
    until: MinuteOfDay
    max: Rate

    def __str__(self) -> str:
        return f"{_time_of_day(self.from_)}-{_time_of_day(self.until)}"

    @model_validator(mode="after")
    def _is_not_empty(self) -> "BandwidthPeriod":
        if self.from_ == self.until:
            raise ValueError(f"{self} begins and ends at once: for the whole day there is copy.max_bandwidth")
        return self

    def holds_at(self, minute: int) -> bool:
        """Whether it is a minute of this period."""
        if self.from_ < self.until:
            return self.from_ <= minute < self.until
        return minute >= self.from_ or minute < self.until


class CopyConfig(_Section):
    """Which plots are moved, and where to."""

    source_folders: tuple[Filepath, ...] = Field(default=(), strict=False)
    """Folders that plotters write finished plots to; their own folders are not looked into."""
    target_folders: tuple[Filepath, ...] = Field(default=(), strict=False)
    """Folders that the harvester loads plots from."""
    target_groups: tuple[TargetGroupConfig, ...] = Field(default=(), strict=False)
    """More of them, in groups that are filled one after the other, the first one first:
    [{name: fast, folders: [/one, /two]}, {name: usb, folders: [/three]}]. Within a group plots spread over its disks. A
    plot for which a group has room waits while the disks that have it are busy; what no disk of it that can be used has
    room for goes to the next group. Those of target_folders come last."""
    drained_folders: tuple[Filepath, ...] = Field(default=(), strict=False)
    """Those of the target folders that get nothing new; what is half copied to them is still ended."""
    targets_on_root: bool = False
    """Whether a target folder may lie on the system's own disk. One that does is most often the empty mount point of
    a disk that is not there, and filling it fills the system's disk."""
    suffixes: tuple[Suffix, ...] = Field(default=(".plot", ".plot2"), strict=False, min_length=1)
    """What the names of plots end in."""
    settle_seconds: Interval = 60.0
    """A plot is finished when nothing was written to it for so long, and nothing has it open to write."""
    verification: Literal["full", "sample", "none"] = "full"
    """full: every copy is read back from its disk and compared before its source goes. sample: parts of it are.
    none: it is not."""
    reserve: Annotated[Bytes, Field(ge=0)] = _default_size("1GB")
    """What is left free on each disk."""
    max_per_target: int = Field(default=1, ge=1, le=100)
    """How many copies one disk takes at once, whatever number of target folders it holds."""
    max_per_source: int = Field(default=2, ge=1, le=100)
    """How many copies one disk is read by at once, whatever number of source folders it holds."""
    max_active: int = Field(default=8, ge=1, le=1000)
    """How many copies are under way at once."""
    max_bandwidth: Rate = 0
    """What all copies together may move in a second, as 200MB; 0: as fast as the disks are."""
    max_bandwidth_per_job: Rate = 0
    """What one copy may, beside that; 0: its share of what all may."""
    bandwidth_by_time: tuple[BandwidthPeriod, ...] = Field(default=(), strict=False)
    """What all may instead at times of the day, by this machine's clock: [{from: "08:00", until: "23:00", max: 50MB}],
    over midnight where `until` comes first. A limit by `chia-tea jobs bandwidth` holds until the next of these
    times."""
    retries: int = Field(default=5, ge=0, le=1000)
    """How often a plot is tried again that could not be read, or whose copy failed."""
    retry_after: Annotated[Seconds, Field(ge=0.0, le=86400.0)] = 30.0
    """How long that waits the first time; each time in a row twice as long, up to an hour."""
    retry_targets_after: Annotated[Seconds, Field(ge=1.0, le=7 * 86400.0)] = 900.0
    """A target folder that failed in the middle of a copy takes nothing for so long."""
    rescan_every: Annotated[Seconds, Field(ge=0.1, le=86400.0)] = 60.0
    """How often all folders are looked at. New files in a source folder are seen sooner where the system tells of
    them, which it does not for those of other machines."""
    replace: tuple[ReplaceRuleConfig, ...] = Field(default=(), strict=False)
    """Old plots that are deleted for new ones when no target has room, none by default:
    [{name: old ones, old: {version: 1}, new: {suffixes: [.plot2]}, when_full: write_first}]. `old` takes version (1 or
    2), suffixes, name (with * and ?), made_before (a date) and older_than (730d), of which all must hold; `new` says
    which plots the rule is for, all by default. write_first: the new plot is written into what the disk has free,
    copy.reserve too, and only when it is complete, read back and has its name, as few old ones go as make the reserve
    good. delete_first: where there is not so much free, they may go before. `chia-tea copy --dry-run` says which."""

    @field_validator("replace")
    @classmethod
    def _have_own_names(cls, rules: tuple[ReplaceRuleConfig, ...]) -> tuple[ReplaceRuleConfig, ...]:
        names = [rule.name or f"{number}" for number, rule in enumerate(rules, start=1)]
        for name in sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{name} is there twice: each rule has a name of its own")
        return rules

    @model_validator(mode="after")
    def _verifies_before_it_deletes(self) -> "CopyConfig":
        if self.replace and self.verification == "none":
            raise ValueError("replace deletes old plots for new ones that were read back: verification may not be none")
        return self

    @field_validator("bandwidth_by_time")
    @classmethod
    def _do_not_overlap(cls, periods: tuple[BandwidthPeriod, ...]) -> tuple[BandwidthPeriod, ...]:
        for one, other in itertools.combinations(periods, 2):
            if any(one.holds_at(minute) and other.holds_at(minute) for minute in range(24 * 60)):
                raise ValueError(f"{one} and {other} overlap: at each time one of them may hold")
        return periods

    @property
    def ranked_groups(self) -> tuple[tuple[str, tuple[Path, ...]], ...]:
        """The target folders by the name of their group, the first group first; target_folders have no name."""
        groups = [(group.name, group.folders) for group in self.target_groups]
        return (*groups, ("", self.target_folders)) if self.target_folders else tuple(groups)

    @property
    def all_target_folders(self) -> tuple[Path, ...]:
        """Those of all groups, each once."""
        return tuple(dict.fromkeys(folder for _, folders in self.ranked_groups for folder in folders))


class AuthConfig(_Section):
    """How machines know each other. `chia-tea certs create` makes all of these files."""

    cert_filepath: Filepath = _default_path("server.cert")
    """The server's certificate: a client needs nothing else to know the server. A relative path starts at the
    folder of this file."""
    key_filepath: Filepath = _default_path("server.key")
    """The server's key, on the server's machine only, readable by its owner only."""
    token_filepath: OptionalFilepath = None
    """The token that says what a client may do. Default: the .token file beside this file that suits the command."""
    token_hashes_filepath: Filepath = _default_path("tokens.json")
    """The hashes of all tokens that the server accepts, on the server's machine only."""


class ServerConfig(_Section):
    """The server: `chia-tea serve`."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """The address to listen on. 0.0.0.0 lets other machines in."""
    port: Port = 43200
    """The port to listen on."""
    db_filepath: Filepath = _default_path("~/.chia_tea/monitoring.db")
    """The database: every event and the current state."""
    keep_events: Seconds = Field(default=90 * 86400.0, ge=3600, le=3650 * 86400)
    """How long events are kept. The current state stays whatever its age."""
    thin_events_after: Seconds = Field(default=7 * 86400.0, ge=3600, le=3650 * 86400)
    """Of processor, memory, disks, sensors, network and processes, which change all the time, events older than this
    are thinned."""
    thin_events_to: Seconds = Field(default=300.0, ge=1, le=86400)
    """What is thinned keeps one event of each entry in each of these intervals."""
    durability: Literal["full", "normal"] = "full"
    """full: what a collector was told to be stored survives a power cut. normal: a power cut may lose the last
    instants, in exchange for less work for the disk; a crash of chia-tea alone loses nothing with either."""


class SendUpdateEveryConfig(_Section):
    """How often one entry of a topic is sent at most. What changed in between is sent when its time has come, at its
    last value. New and vanished entries are sent at once.
    """

    system: Interval = 60.0
    cpu: Interval = 5.0
    cpu_core: Interval = 15.0
    ram: Interval = 5.0
    disk: Interval = 15.0
    sensor: Interval = 30.0
    network_interface: Interval = 15.0
    process: Interval = 15.0
    farmer: Interval = 0.2
    farmer_harvester: Interval = 0.2
    missed_challenge: Interval = 0.0
    pool: Interval = 5.0
    harvester: Interval = 0.2
    harvester_plot: Interval = 0.0
    plot_folder: Interval = 1.0
    wallet: Interval = 5.0
    full_node: Interval = 5.0
    plotting_plot: Interval = 5.0
    chia_notice: Interval = 0.0
    source: Interval = 15.0
    wallet_balance: Interval = 5.0
    collector: Interval = 60.0
    copier: Interval = 1.0
    copy_target: Interval = 1.0
    copy_job: Interval = 0.5
    copy_command: Interval = 0.0
    scrub_finding: Interval = 0.0


class ClientConfig(_Section):
    """The server that this machine's collector, copier and dashboards talk to."""

    address: str = Field(default="localhost", min_length=1)
    """The server's host name or IP address."""
    port: Port | None = None
    """The server's port. Default: the same as monitoring.server.port."""
    collect_data_every: Seconds = Field(default=2.0, ge=0.1, le=3600)
    """How often the collector looks at this machine."""
    spool_size: SpoolSize = _default_size("256MB")
    """How much a collector keeps on its own disk while the server is away. When it is half full, changes of mere
    readings, as of the processor's load, are not kept any more; when it is full, nothing is but the last state."""
    send_update_every: SendUpdateEveryConfig = _section()


class MonitoringConfig(_Section):
    """Collector, server and dashboard."""

    auth: AuthConfig = _section()
    server: ServerConfig = _section()
    client: ClientConfig = _section()


class ThresholdsConfig(_Section):
    """From where on the dashboard shows a number yellow, and from where on red: [90, 98]. Enter on what is yellow or
    red says which of these it is over.
    """

    disk_used_percent: Pair = (95, 99)
    """How full a disk is, of what an ordinary process may use."""
    disk_busy_percent: Pair = (90, 98)
    """The share of time in which a disk had a request under way."""
    disk_celsius: Pair = (60, 70)
    """A disk's own temperature. Most makers allow 60 or 70."""
    disk_pending_sectors: Pair = (1, 100)
    """Sectors of a disk that wait to be read again."""
    cpu_percent: Pair = (85, 97)
    """The load of all cores."""
    cpu_celsius: Pair = (85, 95)
    """The hottest sensor of the processor."""
    ram_percent: Pair = (80, 93)
    """The memory in use."""
    swap_percent: Pair = (50, 90)
    """The swap in use."""
    lookup_seconds: Pair = (5, 15)
    """A harvester's lookup. Chia warns from 8 s; an answer after about 28 s wins nothing any more."""
    quiet_seconds: Pair = (60, 300)
    """How long a harvester that runs has had no challenge."""
    missed_percent: Pair = (0, 5)
    """The share of challenges that a harvester did not answer in time; none at all is never yellow."""
    clock_seconds: Pair = (2, 30)
    """How far a machine's clock is off the server's."""


class TuiConfig(_Section):
    """The dashboard: `chia-tea tui` and `chia-tea up`."""

    theme: str = ""
    """Its colours: chia-tea, chia-tea-light, chia-tea-colour-blind, or one of Textual's. Default: the one that was
    chosen last."""
    read_only: bool = False
    """Whether it gives no orders to copiers, whatever its token allows."""
    keymap: dict[str, str] = Field(default_factory=dict)
    """Other keys, by what they do: `{list.filter: f3, app.quit: "q,ctrl+q"}`. A wrong name is answered with all."""
    thresholds: ThresholdsConfig = _section()


class Config(_Section):
    """The whole of config.yml."""

    machine: MachineConfig = _section()
    logging: LoggingConfig = _section()
    chia: ChiaConfig = _section()
    hardware: HardwareConfig = _section()
    copy_: CopyConfig = Field(default_factory=dict, alias="copy")  # type: ignore[assignment]
    monitoring: MonitoringConfig = _section()
    tui: TuiConfig = _section()

    _filepath: Path = PrivateAttr(default=Path(DEFAULT_FILEPATH))

    @property
    def filepath(self) -> Path:
        """The file that was read, or would have been if it were there."""
        return self._filepath

    @property
    def folder(self) -> Path:
        """The folder of the file: certificates and tokens are beside it unless they are configured elsewhere."""
        return self._filepath.parent

    @property
    def client_port(self) -> int:
        """The port of the server to talk to."""
        return self.monitoring.client.port or self.monitoring.server.port

    @property
    def chia_root(self) -> Path:
        """Chia's folder on this machine."""
        return self.chia.root or Path(os.environ.get("CHIA_ROOT") or "~/.chia/mainnet").expanduser()

    @property
    def chia_logfile_filepath(self) -> Path:
        """Chia's log."""
        return self.chia.logfile_filepath or self.chia_root / "log" / "debug.log"

    @property
    def plotter_logs(self) -> tuple[Path, ...]:
        """The logs of plotters, some of them with * and ? in their paths."""
        return (*self.chia.plotter_logs, *filter(None, [self.chia.madmax_logfile]))

    def as_yaml(self) -> str:
        """The configuration in force as YAML, defaults filled in."""
        plain = self.model_dump(mode="json", by_alias=True)
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)


def default_filepath() -> Path:
    """$CHIA_TEA_CONFIG, else ~/.chia_tea/config/config.yml."""
    return Path(os.environ.get("CHIA_TEA_CONFIG") or DEFAULT_FILEPATH).expanduser().absolute()


def load(filepath: Path | None = None) -> Config:
    """Reads and checks a configuration; without a path, that of `default_filepath`.

    The default file need not be there: every key has a default. One that somebody named must.

    Raises:
        ConfigurationError: names every fault, each on a line of its own.
    """
    is_named = filepath is not None or "CHIA_TEA_CONFIG" in os.environ
    path = (filepath or default_filepath()).expanduser().absolute()
    data = _read_yaml(path, must_exist=is_named)
    try:
        config = Config.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        raise ConfigurationError("\n".join(f"{path}: {fault}" for fault in _faults(error))) from None
    config._filepath = path  # noqa: SLF001 - set once, here
    return config


_NUMBERS: Final = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})


class _Loader(yaml.SafeLoader):
    """YAML whose keys are words, none there twice, and whose dates and times are text."""

    # As in the base, but for dates: a machine may be called 2024-01-01; and 23:00 is a time, not the number 1380.
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way
        first: [
            (tag, re.compile(rf"(?![^:]*:)(?:{pattern.pattern})", pattern.flags) if tag in _NUMBERS else pattern)
            for tag, pattern in resolvers
            if tag != "tag:yaml.org,2002:timestamp"
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's
        """The base lets Python's own errors out, as for `!!int x`."""
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(None, None, f"this is no {kind}", node.start_mark) from None
        if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            raise yaml.constructor.ConstructorError(None, None, "half a character", node.start_mark)
        return value


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} is there twice", key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _read_yaml(path: Path, *, must_exist: bool) -> object:
    try:
        with path.open(encoding="utf-8") as file:
            data = yaml.load(file, _Loader)  # noqa: S506 - a subclass of the safe loader
    except FileNotFoundError:
        if must_exist:
            raise ConfigurationError(
                f"{path}: there is no such file", f"`chia-tea config init --config {path}` makes one"
            ) from None
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "--config names the file to read") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text", "save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else f"{path}"
        raise ConfigurationError(f"{where}: is not YAML: {error.problem}", "mend that line") from None
    except (yaml.YAMLError, RecursionError) as error:
        text = " ".join(str(error).split())
        raise ConfigurationError(f"{path}: is not YAML: {text}", "mend the file") from None
    return data


_RETIRED: Final = {
    "version": "the first chia-tea's; delete it",
    "development": "the first chia-tea's; delete it",
    "discord": "the first chia-tea's; delete it",
}


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        where = ".".join(str(step) for step in fault["loc"]) or "the whole file"
        given = fault["input"]
        if fault["type"] == "extra_forbidden":
            retired = _RETIRED.get(where)
            hint = retired or _known_keys(fault["loc"])
            yield f"{where}: there is no such key: {hint}"
        elif fault["type"] == "value_error":
            yield f"{where}: {fault['ctx']['error']}"
        elif isinstance(given, dict | list | tuple):
            yield f"{where}: {_should(fault)}"
        else:
            yield f"{where}: is {_shown(fault)}, {_should(fault)}"


_SHOULD: Final = {
    "model_type": "should be a section: keys and values under it",
    "tuple_type": "should be a list: [/one, /two]",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a duration: 30s, 5m, 2h or a number of seconds",
    "finite_number": "should be a duration that ends",
    "string_type": "should be text: put it in quotes",
    "bool_type": "should be true or false",
    "is_instance_of": "should be a path",
    "string_too_short": "should not be empty",
    "too_short": "should not be empty",
    "missing": "should be there",
    "invalid_key": "should be a word: every key is one",
}


def _should(fault: ErrorDetails) -> str:
    """What a value should be, in a person's words instead of pydantic's."""
    known = _SHOULD.get(fault["type"])
    if known:
        return known
    context = fault.get("ctx", {})
    if fault["type"] in {"greater_than_equal", "less_than_equal"}:
        limit: int | float = context["ge"] if "ge" in context else context["le"]
        bound = "at least" if "ge" in context else "at most"
        return f"should be {bound} {format_duration(limit) if isinstance(limit, float) else exact_bytes(limit)}"
    if fault["type"] == "string_too_long":
        return f"should have at most {context['max_length']} characters"
    return fault["msg"].removeprefix("Input ")


def _shown(fault: ErrorDetails) -> str:
    """A value as it stands in a YAML file, or its beginning."""
    given = fault["input"]
    if isinstance(given, bool):
        return str(given).lower()
    limits = fault.get("ctx", {}).values()
    if isinstance(given, float) and math.isfinite(given) and any(isinstance(limit, float) for limit in limits):
        return format_duration(given)
    return textwrap.shorten(repr(given), 80, placeholder="...")


def _known_keys(location: tuple[str | int, ...]) -> str:
    model: type[BaseModel] = Config
    for step in filter(lambda step: not isinstance(step, int), location[:-1]):
        field = next((f for n, f in model.model_fields.items() if (f.alias or n) == step), None)
        # Of a list of sections its sections count.
        section = next(iter(get_args(field.annotation)), field.annotation) if field is not None else None
        if not isinstance(section, type) or not issubclass(section, BaseModel):
            return "see config.yml.example"
        model = section
    names = [field.alias or name for name, field in model.model_fields.items()]
    close = difflib.get_close_matches(str(location[-1]), names, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"


def check_folders(config: Config) -> None:
    """Looks at the folders that a configuration names, as a command does before it works with them.

    A folder that is not there may be a disk that is not mounted now: only what can never become right is refused.

    Raises:
        ConfigurationError: names every folder that is something else.
    """
    faults = [
        f"{config.filepath}: copy.{key}.{index}: {folder} is not a folder: name the folder that holds the plots"
        for key, folders in (
            ("source_folders", config.copy_.source_folders),
            ("target_folders", config.copy_.target_folders),
            *((f"target_groups.{n}.folders", group.folders) for n, group in enumerate(config.copy_.target_groups)),
        )
        for index, folder in enumerate(folders)
        if folder.exists() and not folder.is_dir()
    ]
    faults += _contradictions(config)
    if faults:
        raise ConfigurationError("\n".join(faults))


def check_folder_names(config: Config) -> None:
    """Part of `check_folders` that asks no disk, and so never waits for one that hangs.

    Raises:
        ConfigurationError: names every folder that is given two ends.
    """
    faults = list(_contradictions(config))
    if faults:
        raise ConfigurationError("\n".join(faults))


def _contradictions(config: Config) -> Iterator[str]:
    sources, targets = set(config.copy_.source_folders), set(config.copy_.all_target_folders)
    for folder in sorted(sources & targets):
        yield f"{config.filepath}: copy: {folder} is both a source and a target folder: it can be one of them only"
    for folder in sorted(set(config.copy_.drained_folders) - targets):
        yield f"{config.filepath}: copy.drained_folders: {folder} is no target folder: it needs no draining"
    names = Counter(group.name for group in config.copy_.target_groups)
    for name in sorted(name for name, n in names.items() if n > 1):
        yield f"{config.filepath}: copy.target_groups: {name} is there twice: each group has a name of its own"
    n_groups = Counter(folder for _, folders in config.copy_.ranked_groups for folder in set(folders))
    for folder in sorted(folder for folder, n in n_groups.items() if n > 1):
        yield f"{config.filepath}: copy: {folder} is in {n_groups[folder]} groups of targets: it can be in one only"


def example() -> str:
    """config.yml.example: every key, what it means, and its default as a comment."""
    lines = [
        "# chia-tea's configuration. Every key has a default: keep only the lines that you change.",
        "# It is read from ~/.chia_tea/config/config.yml, $CHIA_TEA_CONFIG, or --config PATH.",
        "# Durations take ms, s, m, h, d, w (plain numbers are seconds), sizes kB, MB, GB, KiB, MiB, GiB (plain",
        "# numbers are bytes); relative paths start at this file's folder.",
    ]
    return "\n".join([*lines, *_example_lines(Config, 0)]) + "\n"


def _example_lines(model: type[BaseModel], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, field in model.model_fields.items():
        key = field.alias or name
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield ""
            yield from _comment(field.description or section.__doc__ or "", indent)
            yield f"{indent}{key}:"
            yield from _example_lines(section, depth + 1)
        else:
            yield from _comment(field.description or "", indent)
            yield f"{indent}# {key}: {_shown_default(field)}".rstrip()


def _comment(text: str, indent: str) -> Iterator[str]:
    words = " ".join(text.split())
    yield from textwrap.wrap(words, 108, initial_indent=f"{indent}## ", subsequent_indent=f"{indent}## ")


def _shown_default(field: FieldInfo) -> str:
    if field.default_factory is not None or field.default is None:
        return ""
    value = field.default
    if isinstance(value, float):
        return format_duration(value)
    if isinstance(value, tuple):
        return f"[{', '.join(str(item) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
