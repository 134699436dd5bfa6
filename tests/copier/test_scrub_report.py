"""What a scrub draws on a terminal, and says once."""

import io
from pathlib import Path

import pytest

from chiatea.cli.scrub_report import ScrubReport
from chiatea.copier.known_plots import KnownPlots
from chiatea.copier.scrub import Outcome, Scrubbed


class Terminal(io.StringIO):
    def line(self) -> str:
        """What stands in the line that is drawn anew."""
        return self.getvalue().rpartition("\x1b[2K")[2]


def test_how_far_a_plot_is_read_stands_in_one_line_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "24")
    terminal, now = Terminal(), 100.0
    with KnownPlots(tmp_path / "plots.db") as known:
        report = ScrubReport(known, terminal, 3, clock=lambda: now)
        path = Path(f"/farm/plot-{'x' * 60}\n.plot")
        report.progress(path, 0, 100 << 20)
        now = 110.0
        report.progress(path, 50 << 20, 100 << 20)
        assert "\n" not in terminal.getvalue()
        assert len(terminal.line()) == 59
        assert terminal.line().startswith("1 of 3   50 % of 100 MiB")
        monkeypatch.setenv("COLUMNS", "200")
        report.progress(path, 50 << 20, 100 << 20)
        assert "5.00 MiB/s  10 s left  plot-xxx" in terminal.line()
        report.tell(Scrubbed(path, Outcome.FINE, n_bytes=100 << 20), is_quiet=False)
        report.progress(path, 0, 100 << 20)
        assert terminal.line().startswith("2 of 3    0 %")


def test_a_disk_that_is_away_says_so_once_and_ends_in_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with KnownPlots(tmp_path / "plots.db") as known:
        report = ScrubReport(known, None, 4)
        for number in range(3):
            report.tell(Scrubbed(Path(f"/d/{number}.plot"), Outcome.NOT_READ, "is not mounted"), is_quiet=False)
        assert report.is_anything_wrong
        report.print_end(as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "/d/0.plot: is not mounted"
    assert lines[1].startswith("3 could not be looked at, 1 left; 0 B in ")
    assert len(lines) == 2
