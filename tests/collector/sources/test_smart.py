import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.sources.smart import SmartReport, parse_smart

DATA = Path(__file__).parents[2] / "data" / "smart"


def report(name: str) -> SmartReport:
    told = parse_smart((DATA / f"{name}.json").read_bytes())
    assert told is not None
    return told


@pytest.mark.parametrize(
    ("name", "is_healthy", "health"),
    [
        ("ata_healthy", True, "passed"),
        (
            "ata_failing",
            False,
            "FAILING; 4096 reallocated sectors; 312 pending sectors; Reallocated_Sector_Ct failed now",
        ),
        ("nvme", True, "passed; 2 media errors; 61 % worn"),
        ("sas", True, "passed; 7 reallocated sectors"),
        ("usb_sat", True, "passed; 1 reallocated sector"),
    ],
)
def test_health_is_the_disk_s_own_verdict_with_what_speaks_against_it(name: str, is_healthy: bool, health: str) -> None:
    told = report(name)
    assert (told.is_healthy, told.health, told.error) == (is_healthy, health, None)


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("ata_healthy", (38.0, "ST16000NM001G-2KK103", "ZL2AAAA1", 18586, 0, 0)),
        ("ata_failing", (51.0, "ST16000NM001G-2KK103", "ZL2AAAA2", 35211, 4096, 312)),
        ("nvme", (47.0, "Samsung SSD 980 PRO 2TB", "S69AAAA4", 14022, None, None)),
        ("sas", (41.0, "SEAGATE ST10000NM0096", "ZA2AAAA5", 31204, 7, None)),
    ],
)
def test_temperature_identity_age_and_sectors_are_told(name: str, figures: tuple[object, ...]) -> None:
    told = report(name)
    assert figures == (
        told.temperature_celsius,
        told.model,
        told.serial_number,
        told.power_on_hours,
        told.n_reallocated_sectors,
        told.n_pending_sectors,
    )


def test_a_disk_that_sleeps_one_that_is_refused_and_one_that_cannot_tell_are_told_apart() -> None:
    assert report("standby") == SmartReport(is_asleep=True)
    denied = report("no_permission")
    assert (denied.is_denied, denied.error) == (True, "Smartctl open device: /dev/sda failed: Permission denied")
    bridge = report("usb_bridge_unknown")
    assert (bridge.is_unknown_bridge, bridge.is_denied, bridge.is_healthy) == (True, False, None)
    assert report("virtual").error == "/dev/sda: Unable to detect device type"
    off = report("switched_off")
    assert (off.health, off.error) == (None, "S.M.A.R.T. is switched off: `smartctl -s on` switches it on")


def test_what_is_not_smartctl_s_json_is_nothing() -> None:
    for output in (b"", b"garbage", b"[]", b"{}", b'{"smartctl": 5}', b"[" * 100_000, b"\xff"):
        assert parse_smart(output) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(name=st.sampled_from(sorted(path.stem for path in DATA.iterdir())), data=st.data())
def test_values_of_any_other_type_are_left_out(name: str, data: st.DataObject) -> None:
    told: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    for _ in range(3):
        part: Any = told
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if not isinstance(part[key], dict | list) or data.draw(st.booleans()):
                part[key] = data.draw(ANYTHING)
                break
            part = part[key]
    parsed = parse_smart(json.dumps(told).encode())
    assert parsed is None or isinstance(parsed.health, str | None)


def test_an_attribute_that_failed_in_a_way_nobody_foresaw_is_left_out() -> None:
    table = {"table": [{"id": 5, "when_failed": []}, {"id": 197, "when_failed": {"now": 1}, "raw": {"value": 3}}]}
    told = {"smartctl": {"exit_status": 0}, "smart_status": {"passed": True}, "ata_smart_attributes": table}
    report = parse_smart(json.dumps(told).encode())
    assert report is not None
    assert report.n_pending_sectors == 3
    assert "failed" not in (report.health or "")
