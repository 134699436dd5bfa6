"""Generates chiatea/protobuf from protocol/, or looks whether what is committed is what would be generated."""

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("chiatea/protobuf")


def generate(folder: Path) -> None:
    """Writes messages and stubs for every .proto file, and the services of monitoring_service.proto."""
    protos = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "protocol" / PACKAGE).glob("*.proto"))
    services = [path for path in protos if path.endswith("_service.proto")]
    _protoc(f"--python_out={folder}", f"--mypy_out=quiet:{folder}", *protos)
    _protoc(f"--grpc_python_out={folder}", f"--mypy_grpc_out=quiet,only_async:{folder}", *services)


def _protoc(*arguments: str) -> None:
    # protoc finds its plugins for the stubs on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-Iprotocol", *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, check=False)
    if done.returncode:
        sys.exit("protocol/ cannot be compiled: mend the first fault above")


def _generated_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*_pb2*.py*")}


def main() -> int:
    """Generates or, with --check, compares; 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the committed code differs")
    is_check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name))
        new, committed = Path(name) / PACKAGE, ROOT / PACKAGE
        names = sorted(_generated_in(new) | _generated_in(committed))
        _, differing, missing = filecmp.cmpfiles(new, committed, names, shallow=False)
        different = sorted([*differing, *missing])
        for file in different:
            print(f"{PACKAGE / file}: {'differs from protocol/: run `make proto`' if is_check else 'generated'}")
            if not is_check and (new / file).exists():
                shutil.copyfile(new / file, committed / file)
            elif not is_check:
                (committed / file).unlink()
    return 1 if is_check and different else 0


if __name__ == "__main__":
    sys.exit(main())
