"""`python -m chiatea`: the same as `chia-tea`."""

from chiatea.cli.main import main

main()
