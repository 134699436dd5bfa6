"""What smartctl of smartmontools says of a disk, as JSON. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chiatea.chia.untrusted import boolean, integer, items, mapping, number, text

__all__ = ["ARGUMENTS", "SmartReport", "parse_smart"]

ARGUMENTS: Final = ("-j", "-H", "-A", "-i", "-n", "standby")
"""As JSON the health, the attributes, what it is; and nothing of a disk that sleeps (smartctl(8), 7.0 and newer)."""
_REALLOCATED: Final = 5
_PENDING: Final = 197
"""ATA attributes: sectors that were replaced, and those that could not be read and wait to be."""
_ASLEEP: Final = re.compile(r"Device is in [A-Z_ 0-9()]+ mode")
_DENIED: Final = ("Permission denied", "Operation not permitted")
_UNKNOWN_BRIDGE: Final = ("Unknown USB bridge", "Unsupported USB bridge")
_PLAUSIBLE_CELSIUS: Final = (-60.0, 200.0)
_COMMAND_LINE, _OPEN_FAILED, _FAILING = 1 << 0, 1 << 1, 1 << 3
"""Bits of its exit status (smartctl(8))."""


@dataclass(frozen=True, slots=True)
class SmartReport:
    """One disk's answer.

    Attributes:
        is_healthy: the disk's own verdict; None where it gave none.
        health: it in words, with what speaks against the disk.
        error: why nothing, or not all, was told.
        is_asleep: it sleeps, and was left to.
        is_denied: this user may not ask.
        is_unknown_bridge: it is behind a USB bridge that smartctl does not know: asked with `-d sat` most answer.
    """

    is_healthy: bool | None = None
    health: str | None = None
    temperature_celsius: float | None = None
    model: str | None = None
    serial_number: str | None = None
    power_on_hours: int | None = None
    n_reallocated_sectors: int | None = None
    n_pending_sectors: int | None = None
    error: str | None = None
    is_asleep: bool = False
    is_denied: bool = False
    is_unknown_bridge: bool = False


def parse_smart(output: bytes) -> SmartReport | None:
    """What smartctl wrote, whatever its exit status; None for what is not its JSON."""
    try:
        told = json.loads(output)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not isinstance(told.get("smartctl"), dict):
        return None
    smartctl = mapping(told["smartctl"])
    messages = [text(mapping(message).get("string")) or "" for message in items(smartctl.get("messages"))]
    if any(_ASLEEP.search(message) for message in messages):
        return SmartReport(is_asleep=True)
    status = integer(smartctl.get("exit_status")) or 0
    if status & (_COMMAND_LINE | _OPEN_FAILED):
        said = " ".join(" ".join(messages).split())
        return SmartReport(
            error=said[:200] or f"smartctl ended with status {status}",
            is_denied=any(words in said for words in _DENIED),
            is_unknown_bridge=any(words in said for words in _UNKNOWN_BRIDGE),
        )
    return _report(told, is_failing=bool(status & _FAILING))


def _report(told: Mapping[str, Any], *, is_failing: bool) -> SmartReport:
    attributes = {
        integer(mapping(row).get("id")): mapping(row)
        for row in items(mapping(told.get("ata_smart_attributes")).get("table"))
    }
    nvme = mapping(told.get("nvme_smart_health_information_log"))
    reallocated, pending = _sectors(attributes.get(_REALLOCATED)), _sectors(attributes.get(_PENDING))
    if reallocated is None:
        # What SAS disks have instead.
        reallocated = _not_negative(told.get("scsi_grown_defect_list"))
    passed = boolean(mapping(told.get("smart_status")).get("passed"))
    is_healthy = False if is_failing else passed
    doubts = list(_doubts(attributes, nvme, reallocated, pending))
    verdict = {True: "passed", False: "FAILING", None: "no verdict"}[is_healthy]
    celsius = number(mapping(told.get("temperature")).get("current"))
    # A drive that does not know says 0.
    is_celsius = celsius is not None and celsius != 0 and _PLAUSIBLE_CELSIUS[0] <= celsius <= _PLAUSIBLE_CELSIUS[1]
    is_told = bool(attributes or nvme or doubts) or is_healthy is not None
    return SmartReport(
        is_healthy=is_healthy,
        health="; ".join([verdict, *doubts]) if is_told else None,
        temperature_celsius=celsius if is_celsius else None,
        model=text(told.get("model_name")) or text(told.get("scsi_model_name")),
        serial_number=text(told.get("serial_number")),
        power_on_hours=_not_negative(mapping(told.get("power_on_time")).get("hours")),
        n_reallocated_sectors=reallocated,
        n_pending_sectors=pending,
        error=None if is_told else _nothing_told(told),
    )


def _nothing_told(told: Mapping[str, Any]) -> str:
    support = mapping(told.get("smart_support"))
    is_off = boolean(support.get("available")) is True and boolean(support.get("enabled")) is False
    return "S.M.A.R.T. is switched off: `smartctl -s on` switches it on" if is_off else "it has no S.M.A.R.T."


def _doubts(
    attributes: Mapping[int | None, Mapping[str, Any]],
    nvme: Mapping[str, Any],
    reallocated: int | None,
    pending: int | None,
) -> Iterator[str]:
    if reallocated:
        yield f"{reallocated} reallocated sector{'s' if reallocated > 1 else ''}"
    if pending:
        yield f"{pending} pending sector{'s' if pending > 1 else ''}"
    for row in attributes.values():
        if text(row.get("when_failed")) in {"now", "past"}:
            yield f"{text(row.get('name')) or 'an attribute'} failed {row['when_failed']}"[:60]
    if warning := _not_negative(nvme.get("critical_warning")):
        yield f"critical warning 0x{warning:02x}"
    if errors := _not_negative(nvme.get("media_errors")):
        yield f"{errors} media error{'s' if errors > 1 else ''}"
    spare, least = _not_negative(nvme.get("available_spare")), _not_negative(nvme.get("available_spare_threshold"))
    if spare is not None and least is not None and spare < least:
        yield f"{spare} % spare left"
    if used := _not_negative(nvme.get("percentage_used")):
        yield f"{used} % worn"


def _sectors(attribute: Mapping[str, Any] | None) -> int | None:
    """The raw value's low 32 bits: some makers keep other things above them."""
    raw = _not_negative(mapping((attribute or {}).get("raw")).get("value"))
    return None if raw is None else raw & 0xFFFFFFFF


def _not_negative(value: object) -> int | None:
    whole = integer(value)
    return whole if whole is not None and whole >= 0 else None
