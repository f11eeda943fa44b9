#!/usr/bin/env python3
"""How fast lost replicas run elsewhere, and what three idle nodes cost. Real processes, on a quiet machine.

Usage: failover.py --bin build [--trials 20] [--idle-seconds 60] [--resources 1000]
What idle nodes cost is measured in each state for so many seconds, in five intervals.
"""

import argparse
import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lab"))
from cluster import Cluster, end_orderly, node_of, wait_for  # noqa: E402

manifest = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: httpd
          command: ["/bin/sh", "-c"]
          args: ['echo hello > index.html; exec busybox httpd -f -p "$PORT_HTTP"']
          ports: [{name: http, containerPort: 80}]
          readinessProbe: {httpGet: {path: /index.html, port: http}, periodSeconds: 1}
"""


def keeper_of(cluster):
    text = cluster.nodes[0].ctl("describe", "deployment", "web").stdout
    line = next(x for x in text.splitlines() if x.strip().lower().startswith("keeper"))
    return next(n for n in cluster.nodes if n.name in line.replace(",", " ").split())


def failover(bin_folder, trials):
    times = []
    with Cluster(bin_folder) as c:
        c.nodes[0].ctl("apply", "-f", "-", "--wait", "--timeout", "30s", text_input=manifest)
        keeper = keeper_of(c)
        for trial in range(trials):
            keeper = keeper_of(c)
            wait_for("three ready on three nodes", lambda: len(c.ready_pods(keeper)) == 3, 60)
            victim = next((n for n in c.nodes if n is not keeper
                           and any(node_of(p) == n.name for p in c.pods(keeper).values())), None)
            if victim is None:
                # All replicas are on the keeper by now: spread them again.
                c.nodes[0].ctl("scale", "deployment", "web", "--replicas", "0")
                wait_for("none", lambda: not c.pods(keeper), 30)
                c.nodes[0].ctl("scale", "deployment", "web", "--replicas", "3")
                wait_for("three ready", lambda: len(c.ready_pods(keeper)) == 3, 30)
                victim = next(n for n in c.nodes if n is not keeper
                              and any(node_of(p) == n.name for p in c.pods(keeper).values()))
            begin = time.monotonic()
            victim.kill()
            wait_for("three ready elsewhere", lambda: len(p := c.ready_pods(keeper)) == 3
                     and not any(node_of(x) == victim.name for x in p.values()), 30)
            times.append(time.monotonic() - begin)
            print(f"  trial {trial + 1}: {times[-1]:.2f} s", flush=True)
            victim.start().await_up()
            wait_for("three nodes", lambda: all(c.ready(n) == 3 for n in c.nodes), 30)
    times.sort()
    print(f"failover: {trials} trials, median {statistics.median(times):.2f} s, worst {times[-1]:.2f} s; "
          f"to reach: every one within 5 s")


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def memory_kib(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def pass_time(what, seconds):
    end = time.monotonic() + seconds
    wait_for(what, lambda: time.monotonic() > end, seconds + 5)


def cpu_seconds(pid):
    """Of all threads, in nanoseconds where the kernel counts them: a tick is 0.01 % of a core and 100 s."""
    try:
        return sum(int((x / "schedstat").read_text().split()[0]) for x in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9
    except OSError:
        return ticks(pid) / os.sysconf("SC_CLK_TCK")


intervals = 5  # of one measurement


def measure_idle(c, what, seconds, target):
    """Several intervals, each a part of the time: of each node the median, the mean (what is seldom counts there) and the most."""
    pids = {n.name: [n.process.pid, n.supervisor_pid()] for n in c.nodes}
    shares = {k: [] for k in pids}
    memory = {k: [] for k in pids}
    for _ in range(intervals):
        before = {k: sum(cpu_seconds(p) for p in v if p) for k, v in pids.items()}
        begin = time.monotonic()
        pass_time("the measured time", seconds / intervals)
        for name, mine in pids.items():
            shares[name].append((sum(cpu_seconds(p) for p in mine if p) - before[name]) / (time.monotonic() - begin) * 100)
            memory[name].append([sum(memory_kib(p, key) for p in mine if p) / 1024 for key in ("Rss", "Pss")])
    for name in pids:
        rss, pss = (statistics.median(x) for x in zip(*memory[name]))
        print(f"idle, {what}: {name} with its supervisor, of {intervals} intervals of {seconds / intervals:g} s the median: "
              f"{statistics.median(shares[name]):.3f} % of a core (mean {statistics.mean(shares[name]):.3f} %, "
              f"most {max(shares[name]):.3f} %), {rss:.1f} MB resident "
              f"({pss:.1f} MB with shared pages split); to reach: {target}", flush=True)


def many_resources(count):
    return "---\n".join(
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: idle-{i}}}\nspec:\n  replicas: 0\n  template:\n"
        f"    metadata: {{labels: {{app: idle-{i}}}}}\n    spec:\n      containers: [{{name: c, command: [/bin/true]}}]\n"
        for i in range(count))


def idle(bin_folder, seconds, resources):
    """Memory is what is resident of a node and its supervisor, what they share counted in both."""
    with Cluster(bin_folder) as c:
        pass_time("the start to be over", 10)
        measure_idle(c, "groups still move", min(seconds, 30), "nothing, it ends by itself")
        pass_time("groups to be where they belong", 50)
        measure_idle(c, "64 groups", seconds, "0.2 % and 20 MB")
        c.nodes[0].ctl("apply", "-f", "-", text_input=many_resources(resources), timeout=300)
        pass_time("what that left to be done", 20)
        measure_idle(c, f"64 groups and {resources} resources", seconds, "0.5 % and 30 MB")


parser = argparse.ArgumentParser()
parser.add_argument("--bin", default="build")
parser.add_argument("--trials", type=int, default=20)
parser.add_argument("--idle-seconds", type=int, default=60)
parser.add_argument("--resources", type=int, default=1000)
given = parser.parse_args()
end_orderly()
idle(given.bin, given.idle_seconds, given.resources)
if given.trials:
    failover(given.bin, given.trials)
