import json
import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import Home

DATA = Path(__file__).parent.parent / "data" / "chia" / "debug_farmer.log"


def test_a_log_is_explained_line_by_line_with_a_summary(home: Home) -> None:
    lines = home.run("collect", "--explain", str(DATA)).stdout.splitlines()
    assert (lines[141].partition(" ")[0], lines[142:144]) == ("142", ["", "142 lines"])
    assert 'lookup: challenge_prefix="a3648d6003" eligible_plots=1 proofs=1 seconds=0.01387' in lines[3]
    assert "0 were not understood" in lines
    document = json.loads(home.run("collect", "--explain", str(DATA), "--json").stdout)
    assert len(document["lines"]) == document["summary"]["n_lines"] == 142


def test_what_cannot_be_explained_is_one_line_and_wrong_usage(home: Home) -> None:
    for place, reason in (("/nowhere/debug.log", "No such file or directory"), (str(home.folder), "Is a directory")):
        done = home.run("collect", "--explain", place, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (f"chia-tea: {place}: {reason}: --explain takes Chia's debug.log, or - for stdin\n")
    for wrong in (("--json",), ("--once", "--explain", "-")):
        assert home.run("collect", *wrong, check=False).returncode == 2


def test_stdin_is_explained_and_a_reader_that_goes_is_no_failure(home: Home) -> None:
    command = f"cat {DATA} {DATA} {DATA} {DATA} | {sys.executable} -m chiatea collect --explain - | head -n 2"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**home.environment, "PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (2, "")
