"""`make bench`: every benchmark, one after the other."""

import runpy
import time

BENCHMARKS = (
    "pipeline",
    "sync",
    "fanout",
    "collectors",
    "history",
    "hardware",
    "collector",
    "latency",
    "log",
    "copy",
    "plots",
)

for name in BENCHMARKS:
    began = time.monotonic()
    print(f"== {name}", flush=True)
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    print(f"   took {time.monotonic() - began:.0f} s\n", flush=True)
