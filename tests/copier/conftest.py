"""How many points of the fault matrix were hit."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    points = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in getattr(report, "user_properties", [])
        if name == "points" and isinstance(value, int)
    ]
    if points:
        terminalreporter.write_line(f"the copier was killed or failed at {sum(points)} points, and lost nothing")
