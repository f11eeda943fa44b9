"""At most one, in earnest: a replica that is exclusive writes when it runs, and no two ever run at once."""

import os
import pathlib
import signal
import time

from cluster import Cluster, alive, check, keeper_of, node_of, pid_of, wait_for

LEASE = 10.0  # seconds; see actors/keeper/lease.hpp


def manifest(journal, replicas=1, word="first", name="one"):
    # It ignores TERM, so that only the supervisor's KILL at the deadline ends it. /proc/uptime counts as leases do.
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  template:
    metadata:
      labels: {{app: {name}}}
      annotations: {{legion.dev/exclusive: "true"}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          command: ["/bin/sh", "-c"]
          args:
            - 'trap "" TERM; echo {word}; while :; do read up rest < /proc/uptime; echo $up $POD >> {journal}; sleep 0.02; done'
          env: [{{name: POD, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}]
"""


def lives(journal):
    """When each pod wrote first and last, in the order of their beginnings."""
    found = {}
    for line in pathlib.Path(journal).read_text().splitlines():
        words = line.split()
        if len(words) == 2:
            first, _ = found.get(words[1], (float(words[0]), 0))
            found[words[1]] = (first, float(words[0]))
    return sorted((first, last, name) for name, (first, last) in found.items())


def check_never_two(journal, at_least):
    all_lives = lives(journal)
    check(len(all_lives) >= at_least, f"only {len(all_lives)} lives were written: {all_lives}")
    for before, after in zip(all_lives, all_lives[1:]):
        check(before[1] < after[0], f"two at once: {before} and {after}")
    return [after[0] - before[1] for before, after in zip(all_lives, all_lives[1:])]


def running(cluster, node):
    pods = {k: p for k, p in cluster.ready_pods(node).items() if k.startswith("one")}
    return next(iter(pods.items())) if len(pods) == 1 else None


def begin(cluster):
    """Applies it so that it runs on a node that does not keep it; gives the keeper and the node."""
    journal = cluster.folder / "journal-of-one"
    first = cluster.nodes[0]
    first.ctl("apply", "-f", "-", text_input=manifest(journal, 0))
    keeper = keeper_of(cluster, "one")
    first.ctl("cordon", keeper.name)
    first.ctl("scale", "deployment", "one", "--replicas", "1")
    name, pod = wait_for("it runs", lambda: running(cluster, keeper))
    first.ctl("uncordon", keeper.name)
    return journal, keeper, cluster.by_name(node_of(pod)), name, pid_of(pod)


def replaced(cluster, keeper, name):
    def another():
        now = running(cluster, keeper)
        return now if now and now[0] != name else None
    return wait_for("another one runs", another, 30)


def a_node_that_is_killed_does_not_leave_two_exclusive_replicas(bin_folder):
    with Cluster(bin_folder) as c:
        journal, keeper, victim, name, pid = begin(c)
        victim.kill()
        struck = time.monotonic()
        check(alive(pid), "the replica ended with its node")
        replaced(c, keeper, name)
        check(not alive(pid), "the old one lives on")
        print(f"    another one ran {time.monotonic() - struck:.1f} s after kill -9; nothing ran for "
              f"{check_never_two(journal, 2)[0]:.1f} s")
        victim.start().await_up()
        end = time.monotonic() + 5
        wait_for("5 s have passed", lambda: time.monotonic() > end)
        check_never_two(journal, 2)
        check(len(lives(journal)) == 2, "the node that returned began it again")


def a_node_that_is_stopped_does_not_leave_two_exclusive_replicas(bin_folder):
    with Cluster(bin_folder) as c:
        journal, keeper, victim, name, pid = begin(c)
        os.kill(victim.process.pid, signal.SIGSTOP)
        struck = time.monotonic()
        wait_for("its lease is over", lambda: not alive(pid), LEASE + 1)
        lasted = time.monotonic() - struck
        check(lasted > LEASE / 2, f"it lost its lease after {lasted:.1f} s")
        replaced(c, keeper, name)
        print(f"    it ended {lasted:.1f} s after SIGSTOP; another one ran after {time.monotonic() - struck:.1f} s")
        os.kill(victim.process.pid, signal.SIGCONT)
        end = time.monotonic() + 5
        wait_for("5 s have passed", lambda: time.monotonic() > end)
        check_never_two(journal, 2)
        check(len(lives(journal)) == 2, "the node that went on began it again")


def an_exclusive_replica_ends_before_its_successor_starts(bin_folder):
    with Cluster(bin_folder) as c:
        journal, keeper, _, name, _ = begin(c)
        for word in ("second", "third"):
            c.nodes[0].ctl("apply", "-f", "-", text_input=manifest(journal, 1, word))
            name, _ = replaced(c, keeper, name)
        print(f"    nothing ran for {', '.join(f'{x:.1f} s' for x in check_never_two(journal, 3))}")


tests = [a_node_that_is_killed_does_not_leave_two_exclusive_replicas,
         a_node_that_is_stopped_does_not_leave_two_exclusive_replicas,
         an_exclusive_replica_ends_before_its_successor_starts]
