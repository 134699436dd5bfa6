"""What a worker is told about one plot to move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from chiatea.copier.replace_rules import ReplaceRule, rule_from_json
from chiatea.copier.replacing import Replacement, replacement_from_json

Verification: TypeAlias = Literal["full", "sample", "none"]
JsonValue: TypeAlias = "str | int | float | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

KNOWN_PLOTS_NAME: Final = "plots.db"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One plot, one target: what the scheduler decided, as plain data.

    Attributes:
        job_id: Stable for (source path, plot id); it names the journal's file, so it holds no slash.
        source: The finished plot.
        target_folder: Where it goes, under its own name.
        target_device: `st_dev` of the target folder when it was chosen; the worker refuses another.
        verification: `full` reads all of the copy back from the device, `sample` some blocks of it, `none` nothing.
        max_bytes_per_second: 0 is no limit.
        journal_folder: Where the worker keeps what it needs to go on after a crash.
        settle_seconds: The source must not have been written to for so long.
        replacement: What the target is to give up for it; None: nothing, or what the journal says.
        replace_rules: Those of `copy.replace` in force: what was chosen by another one stays. The journal has none.
    """

    job_id: str
    source: Path
    target_folder: Path
    target_device: int
    verification: Verification
    max_bytes_per_second: int
    journal_folder: Path
    settle_seconds: float
    replacement: Replacement | None = None
    replace_rules: tuple[ReplaceRule, ...] = ()

    @property
    def target(self) -> Path:
        """The plot's final name."""
        return self.target_folder / self.source.name

    @property
    def temporary(self) -> Path:
        """Its name until it is complete, verified and durable: one that no harvester loads."""
        return self.target_folder / f"{self.source.name}.copying"

    @property
    def known_plots_filepath(self) -> Path:
        """Where the hash of the plot is kept for good: beside the journal's folder."""
        return self.journal_folder.with_name(KNOWN_PLOTS_NAME)

    def to_json(self) -> dict[str, JsonValue]:
        """As fields of a JSON object. Names that are not UTF-8 travel as lone surrogates (`os.fsdecode`), which
        JSON's own escapes carry whole.
        """
        return {
            "job_id": self.job_id,
            "source": str(self.source),
            "target_folder": str(self.target_folder),
            "target_device": self.target_device,
            "verification": self.verification,
            "max_bytes_per_second": self.max_bytes_per_second,
            "journal_folder": str(self.journal_folder),
            "settle_seconds": self.settle_seconds,
            "replacement": self.replacement.to_json() if self.replacement is not None else None,
            "replace_rules": [rule.to_json() for rule in self.replace_rules],
        }


def job_spec_from_json(fields: Mapping[str, object]) -> JobSpec:
    """The way back from `JobSpec.to_json`; other fields are let be.

    Raises:
        ValueError: A field is missing or is not of its kind; the message names it.
    """
    verification = _text(fields, "verification")
    match verification:
        case "full" | "sample" | "none":
            pass
        case _:
            raise ValueError(f"verification is {verification!r}, not one of {', '.join(get_args(Verification))}")
    job_id = _text(fields, "job_id")
    if not job_id or "/" in job_id or job_id.startswith(".") or "\0" in job_id:
        raise ValueError(f"job_id {job_id!r} cannot name a file")
    return JobSpec(
        job_id=job_id,
        source=Path(_text(fields, "source")),
        target_folder=Path(_text(fields, "target_folder")),
        target_device=_whole_number(fields, "target_device"),
        verification=verification,
        max_bytes_per_second=_whole_number(fields, "max_bytes_per_second"),
        journal_folder=Path(_text(fields, "journal_folder")),
        settle_seconds=_seconds(fields, "settle_seconds"),
        replacement=replacement_from_json(fields["replacement"]) if fields.get("replacement") is not None else None,
        replace_rules=tuple(rule_from_json(rule) for rule in _list(fields, "replace_rules")),
    )


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, not text")  # noqa: TRY004 - one kind of error for the caller
    return value


def _list(fields: Mapping[str, object], name: str) -> Sequence[object]:
    """Fields that what an older chia-tea left in the journal does not have are empty."""
    value = fields.get(name, [])
    if not isinstance(value, list):
        raise ValueError(f"{name} is {value!r}, not a list")  # noqa: TRY004 - one kind of error for the caller
    return value


def _whole_number(fields: Mapping[str, object], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is {value!r}, not a whole number")
    return value


def _seconds(fields: Mapping[str, object], name: str) -> float:
    value = fields.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
        raise ValueError(f"{name} is {value!r}, not seconds")
    return float(value)
