#!/usr/bin/env python3
"""Real legion-node processes, real workloads, real sockets, kill -9 and a full disk.

Usage: lab.py --bin build [--lanes 2] [NAME ...]
So many tests run at once as there are lanes: they wait more than they work.
The last line is `lab: N passed, N failed, N skipped`. A test that this machine forbids is skipped with a plain word.
"""

import argparse
import multiprocessing
import os
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import charter  # noqa: E402
import cluster  # noqa: E402
import cut_links  # noqa: E402
import exclusive  # noqa: E402
import large  # noqa: E402
import nodes  # noqa: E402
import recovery  # noqa: E402
import stopped  # noqa: E402
import workloads  # noqa: E402
from cluster import LabFailure, Skip, end_orderly  # noqa: E402


def cgroups():
    found = set()
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        found.update(os.path.join(folder, n) for n in names if "legion" in os.path.join(folder, n))
    return found


def outcome_of(function, bin_folder):
    """Runs a test and says how it went: passed, failed or skipped."""
    title = function.__name__.replace("_", " ")
    begin = time.monotonic()
    try:
        function(bin_folder)
    except Skip as why:
        print(f"  skipped {title}: {why}", flush=True)
        return "skipped"
    except Exception as why:
        trace = "" if isinstance(why, LabFailure) else "\n" + traceback.format_exc()
        print(f"  FAILED  {title}: {why}{trace}", flush=True)
        return "failed"
    print(f"  passed  {title} ({time.monotonic() - begin:.1f} s)", flush=True)
    return "passed"


def run_lane(lane, bin_folder, functions, next_test, counts):
    """Takes the tests that no other lane has taken, one after another."""
    end_orderly()
    cluster.lane = lane
    while True:
        with next_test:
            i = next_test.value
            next_test.value += 1
        if i >= len(functions):
            return
        outcome = outcome_of(functions[i], bin_folder)
        with counts[outcome]:
            counts[outcome].value += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build")
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    modules = (recovery, nodes, workloads, exclusive, cut_links, charter, stopped, large)
    functions = [x for m in modules for x in m.tests if not given.names or x.__name__ in given.names]
    before = cgroups()
    fork = multiprocessing.get_context("fork")
    next_test = fork.Value("i", 0)
    counts = {x: fork.Value("i", 0) for x in ("passed", "failed", "skipped")}
    lanes = [fork.Process(target=run_lane, args=(i, given.bin, functions, next_test, counts)) for i in range(given.lanes)]
    for x in lanes:
        x.start()
    end_orderly()
    try:
        for x in lanes:
            x.join()
    finally:
        for x in lanes:
            x.terminate()
        for x in lanes:
            x.join()
    passed, failed, skipped = (counts[x].value for x in ("passed", "failed", "skipped"))
    lost = len(functions) - passed - failed - skipped
    if lost:
        failed += lost
        print(f"  FAILED  {lost} tests were not run to their end")
    left = cgroups() - before
    if left:
        failed += 1
        print(f"  FAILED  cgroups left behind: {sorted(left)[:5]}")
    print(f"lab: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
