"""Who leads and is stopped for a while is deposed, and learns of it only after it goes on: it answers nothing of the past."""

import json
import os
import signal
import subprocess
import threading

from charter import charter, cordoned, voters_are
from cluster import Cluster, check, wait_for

names = [f"s{i}" for i in range(24)]


def manifest():
    return "\n---\n".join(f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 0
  paused: true
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: main, command: [/bin/true]}}]}}
""" for name in names)


def leaders(node):
    """Who leads the group of each resource."""
    listed = json.loads(node.ctl("get", "deployments", "-o", "json").stdout)
    return {x["metadata"]["name"]: x["status"].get("legion.dev/keeper") for x in listed["items"]}


def stopped(node):
    os.kill(node.process.pid, signal.SIGSTOP)


def goes_on(node):
    os.kill(node.process.pid, signal.SIGCONT)


def at_once(node, commands):
    """All of them while it is stopped; their ends, once it goes on."""
    running = [subprocess.Popen([str(node.cluster.bin / "legionctl"), "--target", f"{node.api_address}:{node.api}", *words],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for words in commands]
    wait_for("all have connected", lambda: connections_to(node.api) >= len(commands), 20)
    goes_on(node)
    return [(p.communicate(timeout=60), p.returncode) for p in running]


def connections_to(port):
    """That wait in its queue, or are served by it."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def replicas_of(node, name):
    return json.loads(node.ctl("get", "deployment", name, "-o", "json").stdout)["spec"]["replicas"]


def together(work):
    threads = [threading.Thread(target=x) for x in work]
    for x in threads:
        x.start()
    for x in threads:
        x.join()


def a_leader_that_was_stopped_answers_nothing_of_the_past(bin_folder):
    with Cluster(bin_folder) as c:
        wait_for("three voters", lambda: voters_are(c.nodes[0], 3), 30)
        c.nodes[0].ctl("apply", "-f", "-", text_input=manifest())
        wait_for("all are led", lambda: all(leaders(c.nodes[0]).values()), 30)
        wrong, answered = [], 0
        for _ in range(2):
            led = leaders(c.nodes[0])
            victim = max(c.nodes, key=lambda n: list(led.values()).count(n.name))
            other = next(n for n in c.nodes if n is not victim)
            mine = [n for n in names if led[n] == victim.name]
            stopped(victim)
            try:
                for name in mine:
                    wait_for(f"another decides on {name}", lambda name=name: other.ctl(
                        "scale", "deployment", name, "--replicas", "1", check=False).returncode == 0, 30)
            except BaseException:
                goes_on(victim)
                raise
            ends = at_once(victim, [("scale", "deployment", name, "--replicas", "0") for name in mine])
            for name, ((out, err), code) in zip(mine, ends):
                if code == 0:
                    answered += 1
                    now = replicas_of(other, name)
                    if now != 0:
                        wrong.append(f"{name}: {out.strip()}, and it has {now}")
                elif code not in (3, 4):
                    wrong.append(f"{name}: exit {code}: {err}")
            together([lambda n=n: other.ctl("scale", "deployment", n, "--replicas", "0") for n in names])
        check(not wrong, f"{len(wrong)} wrong answers: {wrong[:5]}")
        check(answered, "nothing was answered")
        print(f"    {answered} changes through leaders that had been stopped were made")


def a_charter_leader_that_was_stopped_cordons_what_it_says(bin_folder):
    with Cluster(bin_folder) as c:
        wait_for("three voters", lambda: voters_are(c.nodes[0], 3), 30)
        for _ in range(3):
            victim = next(n for n in c.nodes if n.name == charter(c.nodes[0], "Leader"))
            other, whom = [n for n in c.nodes if n is not victim]
            stopped(victim)
            try:
                wait_for("others decide", lambda: other.ctl("cordon", whom.name, check=False).returncode == 0, 30)
            except BaseException:
                goes_on(victim)
                raise
            (((out, err), code),) = at_once(victim, [("uncordon", whom.name)])
            check(code in (0, 3, 4), f"exit {code}: {err}")
            if code == 0:
                check(not cordoned(other, whom.name), f"it says {out.strip()}, and the node is cordoned")
            other.ctl("uncordon", whom.name)


tests = [a_leader_that_was_stopped_answers_nothing_of_the_past, a_charter_leader_that_was_stopped_cordons_what_it_says]
