#!/usr/bin/env python3
"""Committed updates on three nodes, and how soon writes are back after kill -9 of a leader, beside etcd in the same run.

Usage: writes.py --bin build [--rounds 5] [--updates 200] [--kills 20]
Needs etcd and python3-grpcio (installed with apt when they are missing). Both clients are Python; both journals are on one disk.
"""

import argparse
import os
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lab"))
from cluster import Cluster, LabFailure, wait_for  # noqa: E402


def varint(n):
    out = b""
    while True:
        n, low = n >> 7, n & 127
        out += bytes([low | (128 if n else 0)])
        if not n:
            return out


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(data):
    """Number and value of each field of a message; values of other types than bytes as integers."""
    at = 0

    def number():
        nonlocal at
        result = shift = 0
        while True:
            byte = data[at]
            at += 1
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result
    while at < len(data):
        key = number()
        if key & 7 == 0:
            yield key >> 3, number()
        elif key & 7 == 2:
            size = number()
            yield key >> 3, data[at:at + size]
            at += size
        else:
            at += 8 if key & 7 == 1 else 4


class LegionClient:
    """One connection to a node's API; each update is an apply of a Deployment without replicas, with a new annotation."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise OSError("closed")
            data += piece
        return data

    def put(self, value):
        text = ("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: written\n  annotations: {value: \"%s\"}\nspec:\n"
                "  replicas: 0\n  template:\n    metadata: {labels: {app: w}}\n    spec:\n      containers:\n"
                "        - {name: c, command: [\"/bin/true\"]}\n" % value).encode()
        file = field(1, b"w.yaml") + field(2, text)
        request = varint(1 << 3) + varint(1) + field(2, os.urandom(16)) + field(3, field(1, file))
        self.socket.sendall(struct.pack(">I", len(request)) + request)
        reply = self.exactly(struct.unpack(">I", self.exactly(4))[0])
        if b"configured" not in reply and b"created" not in reply:
            raise OSError("refused")


class LegionCluster:
    name = "legion"

    def __init__(self, bin_folder):
        self.cluster = Cluster(bin_folder)

    def __enter__(self):
        self.cluster.__enter__()
        LegionClient(self.cluster.nodes[0].api).put("first")
        wait_for("three nodes keep it", lambda: "3 of 3 are up" in self.described(), 30)
        return self

    def described(self):
        for node in self.cluster.nodes:
            done = node.ctl("describe", "deployment", "written", check=False)
            if done.returncode == 0 and "Kept by" in done.stdout:
                return done.stdout
        return ""

    def leader(self):
        line = next(x for x in self.described().splitlines() if x.startswith("Kept by"))
        return next(i for i, n in enumerate(self.cluster.nodes) if n.name in line.split("(leads)")[0].split())

    def client(self, index):
        return LegionClient(self.cluster.nodes[index].api)

    def kill(self, index):
        self.cluster.nodes[index].kill()

    def restart(self, index):
        self.cluster.nodes[index].start().await_up()
        wait_for("three nodes keep it", lambda: "3 of 3 are up" in self.described(), 60)

    def __exit__(self, *how):
        self.cluster.__exit__(*how)


class EtcdClient:
    def __init__(self, grpc, port):
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.call = self.channel.unary_unary("/etcdserverpb.KV/Put")
        self.ask = self.channel.unary_unary("/etcdserverpb.Maintenance/Status")

    def put(self, value):
        try:
            # Asked anew soon: a try that waits long would hide when writes are back.
            self.call(field(1, b"written") + field(2, value.encode() + b"." * 300), timeout=0.2)
        except Exception as why:
            raise OSError(str(why)) from None

    def status(self):
        return dict(fields(self.ask(b"", timeout=2)))


class EtcdCluster:
    name = "etcd"

    def __init__(self, grpc):
        self.grpc = grpc
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="legion-bench-etcd-"))
        self.processes = [None] * 3
        self.ports = [(23790 + 10 * i, 23791 + 10 * i) for i in range(3)]

    def start(self, index, state):
        peers = ",".join(f"e{i}=http://127.0.0.1:{p}" for i, (_, p) in enumerate(self.ports))
        client, peer = self.ports[index]
        with open(self.folder / f"e{index}.log", "ab") as log:
            self.processes[index] = subprocess.Popen(
                ["etcd", "--name", f"e{index}", "--data-dir", str(self.folder / f"e{index}"),
                 "--listen-client-urls", f"http://127.0.0.1:{client}", "--advertise-client-urls", f"http://127.0.0.1:{client}",
                 "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                 "--initial-cluster", peers, "--initial-cluster-state", state], stdout=log, stderr=log)

    def __enter__(self):
        for i in range(3):
            self.start(i, "new")
        wait_for("etcd leads", self.whole, 30)
        return self

    def whole(self):
        try:
            for i in range(3):
                self.client(i).put("first")
            return True
        except OSError:
            return False

    def leader(self):
        leaders = {}
        for i in range(3):
            told = self.client(i).status()
            header = dict(fields(told[1]))
            leaders[header[2]] = i
            leader = told[4]
        return leaders[leader]

    def client(self, index):
        return EtcdClient(self.grpc, self.ports[index][0])

    def kill(self, index):
        self.processes[index].kill()
        self.processes[index].wait()

    def restart(self, index):
        self.start(index, "existing")
        wait_for("etcd is whole", self.whole, 60)

    def __exit__(self, *_):
        for process in self.processes:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def updates(store, count):
    client = store.client(0)
    client.put("warm")
    times = []
    for i in range(count):
        begin = time.monotonic()
        client.put(f"{begin}-{i}")
        times.append((time.monotonic() - begin) * 1000)
    return times


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def kill_leader(store, trial):
    leader = store.leader()
    client = store.client((leader + 1) % 3)
    client.put(f"before-{trial}")
    store.kill(leader)
    begin = time.monotonic()
    while True:
        try:
            client.put(f"after-{trial}-{time.monotonic()}")
            break
        except OSError:
            if time.monotonic() - begin > 30:
                raise LabFailure(f"{store.name}: no write for 30 s") from None
            time.sleep(0.005)
            try:
                client = store.client((leader + 1) % 3)
            except OSError:
                pass
    took = time.monotonic() - begin
    store.restart(leader)
    return took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    try:
        import grpc
    except ImportError:
        sys.exit("grpc for Python is missing: apt-get install etcd-server python3-grpcio, then run this with /usr/bin/python3")
    with LegionCluster(given.bin) as legion, EtcdCluster(grpc) as etcd:
        both = {x.name: {"p50": [], "p99": []} for x in (legion, etcd)}
        for i in range(given.rounds):
            for store in (legion, etcd):
                times = updates(store, given.updates)
                both[store.name]["p50"].append(statistics.median(times))
                both[store.name]["p99"].append(percentile(times, 0.99))
            print(f"  round {i + 1}: " + ", ".join(f"{k} p50 {v['p50'][-1]:.2f} ms p99 {v['p99'][-1]:.2f} ms"
                                                   for k, v in both.items()), flush=True)
        mine, its = (statistics.median(both[x]["p50"]) for x in ("legion", "etcd"))
        mine99, its99 = (statistics.median(both[x]["p99"]) for x in ("legion", "etcd"))
        print(f"update: median of {given.rounds} rounds: p50 {mine:.2f} ms, {mine / its:.2f} times etcd's {its:.2f} ms (at most 1.5); "
              f"p99 {mine99:.2f} ms, etcd's {its99:.2f} ms (no worse)")
        back = {x.name: [] for x in (legion, etcd)}
        for trial in range(given.kills):
            for store in (legion, etcd):
                back[store.name].append(kill_leader(store, trial))
            print(f"  kill {trial + 1}: " + ", ".join(f"{k} {v[-1] * 1000:.0f} ms" for k, v in back.items()), flush=True)
        if given.kills:
            for name, times in back.items():
                print(f"writes back after kill -9 of the leader, {name}: {given.kills} trials, median "
                      f"{statistics.median(times) * 1000:.0f} ms, p99 {percentile(times, 0.99) * 1000:.0f} ms")


main()
