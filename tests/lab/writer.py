"""Somebody who applies and scales in a loop, whatever befalls the nodes, and remembers what was acknowledged."""

import threading
import time

from cluster import check, wait_for


def idle(name="web", replicas=3, version=0):
    """`version`: a change of it that changes no replica."""
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  annotations: {{version: "{version}"}}
spec:
  replicas: {replicas}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {{name: main, command: [sleep, "100000"]}}
"""


class Writer(threading.Thread):
    """Makes Deployments, one after another, through one node, and through the next when it does not answer."""

    def __init__(self, prefix, *nodes):
        super().__init__()
        self.prefix, self.nodes = prefix, list(nodes)
        self.acknowledged = []  # (name, when)
        self.over = threading.Event()
        self.trouble = None

    def run(self):
        try:
            number = 0
            while not self.over.is_set():
                name = f"{self.prefix}{number}"
                number += 1
                if self.did("apply", "-f", "-", text_input=idle(name, 0)):
                    self.acknowledged.append((name, time.monotonic()))
        except Exception as why:
            self.trouble = why

    def did(self, *words, **more):
        done = self.nodes[0].ctl(*words, check=False, **more)
        if done.returncode != 0 and len(self.nodes) > 1:
            self.nodes.append(self.nodes.pop(0))
        return done.returncode == 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        if self.trouble:
            raise self.trouble

    def wait_for_more(self, count=3, seconds=30):
        """So many that began after now; returns how long the first took."""
        begin = time.monotonic()
        before = len(self.acknowledged) + 1  # one may be under way
        wait_for("writes are acknowledged", lambda: len(self.acknowledged) >= before + count, seconds)
        return self.acknowledged[before][1] - begin


class Scaler(Writer):
    """Scales one Deployment up and down, in a loop."""

    def __init__(self, name, low, high, *nodes):
        super().__init__("", *nodes)
        self.name, self.low, self.high = name, low, high
        self.unsure = set()  # asked for since the last that was acknowledged
        self.last = None

    def run(self):
        try:
            number = 0
            while not self.over.is_set():
                replicas = self.low + number % (self.high - self.low + 1)
                number += 1
                self.unsure.add(replicas)
                if self.did("scale", "deployment", self.name, "--replicas", str(replicas)):
                    self.last, self.unsure = replicas, set()
                    self.acknowledged.append((replicas, time.monotonic()))
        except Exception as why:
            self.trouble = why


class Reviser(Writer):
    """Changes Deployments that run nothing, one after another and over again, each time to a higher version."""

    def __init__(self, names, *nodes):
        super().__init__("", *nodes)
        self.names = names

    def run(self):
        try:
            version = 0
            while not self.over.is_set():
                version += 1
                name = self.names[version % len(self.names)]
                if self.did("apply", "-f", "-", text_input=idle(name, 0, version)):
                    self.acknowledged.append(((name, version), time.monotonic()))
        except Exception as why:
            self.trouble = why


def check_all_there(cluster, *writers):
    """Every node, by its own word, knows all that was acknowledged."""
    names = [name for x in writers for name, _ in x.acknowledged]
    for node in cluster.nodes:
        listed = set(node.ctl("get", "deployments").stdout.split())
        lost = [n for n in names if n not in listed]
        check(not lost, f"{node.name} lacks {len(lost)} of {len(names)} that were acknowledged: {lost[:5]}")
    return len(names)
