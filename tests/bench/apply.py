#!/usr/bin/env python3
"""From `legionctl apply` to 100 process replicas ready on three nodes of this machine, beside a plain loop of the same
clone3, cgroup and exec. Real processes, on a quiet machine.

Usage: apply.py --bin build [--rounds 5]
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lab"))
from cluster import Cluster, end_orderly, wait_for  # noqa: E402

replicas = 100
manifest = f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: many}}
spec:
  replicas: {replicas}
  template:
    metadata: {{labels: {{app: many}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - {{name: main, command: [/bin/sleep, "1000"], resources: {{limits: {{memory: 64Mi}}, requests: {{cpu: 1m, memory: 1Mi}}}}}}
"""

parser = argparse.ArgumentParser()
parser.add_argument("--bin", default="build")
parser.add_argument("--rounds", type=int, default=5)
given = parser.parse_args()
end_orderly()
plain_loop = pathlib.Path(given.bin) / "tests/bench/launch/launch_bench"

with Cluster(given.bin) as c:
    ctl = c.nodes[0].ctl
    ratios = []
    for number in range(given.rounds):
        plain = float(subprocess.run([plain_loop, "--plain"], capture_output=True, text=True, check=True).stdout)
        begin = time.monotonic()
        ctl("apply", "-f", "-", "--wait", "--timeout", "60s", text_input=manifest)
        applied = (time.monotonic() - begin) * 1000
        ratios.append(applied / plain)
        print(f"  round {number + 1}: plain loop {plain:.0f} ms, apply to {replicas} ready {applied:.0f} ms, "
              f"ratio {ratios[-1]:.2f}", flush=True)
        ctl("delete", "deployment", "many")
        wait_for("all have ended", lambda: not c.pods(c.nodes[0]), 60)
    print(f"apply: {replicas} replicas on three nodes: median ratio {statistics.median(ratios):.2f}; to reach: at most 3")
