#!/usr/bin/env python3
"""Committed updates on three nodes, and how soon writes are back after a leader is lost, beside etcd in the same run.

Usage: writes.py --bin build [--rounds 5] [--updates 200] [--kills 100] [--stops 10] [--cuts 10]
Needs etcd and python3-grpcio (installed with apt when they are missing). Both clients are Python; both journals are on one disk.

A leader is lost by kill -9, by SIGSTOP, or by a link that is cut: then, as root, all six processes are in network namespaces. Writes
go on meanwhile, to 8 keys of one group; a try that began after the fault and is acknowledged ends the measured time. Then, and again
when the lost one is back, by its word, all keys are read: each must hold what was acknowledged last in the version that was told, or, in a later version, a try
whose end nobody was told.
"""

import argparse
import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lab"))
from cluster import Cluster, LabFailure, Skip, end_orderly, wait_for  # noqa: E402
from network import FarCluster, Network  # noqa: E402


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


def names_of_one_group(count):
    """As actors/group/whereabouts.cpp places them; a group's leader is then that of all these names."""
    def group(name):
        value = 14695981039346656037
        for byte in b"Deployment\0default\0" + name.encode():
            value = (value ^ byte) * 1099511628211 % 2**64
        value = (value ^ value >> 33) * 0xff51afd7ed558ccd % 2**64
        value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53 % 2**64
        return (value ^ value >> 33) % 64
    found = [n for n in (f"w{i}" for i in range(64 * count * 4)) if group(n) == 7]
    return found[:count]


keys = names_of_one_group(8)


class LegionClient:
    """One connection to a node's API; each write is an apply of a Deployment without replicas, with a new annotation."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise OSError("closed")
            data += piece
        return data

    def ask(self, what):
        request = varint(1 << 3) + varint(1) + field(2, os.urandom(16)) + what
        self.socket.sendall(struct.pack(">I", len(request)) + request)
        while True:
            reply = self.exactly(struct.unpack(">I", self.exactly(4))[0])
            yield reply
            if dict(fields(reply)).get(2):
                return

    def put(self, key, value):
        text = ("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: %s\n  annotations: {value: \"%s\"}\nspec:\n"
                "  replicas: 0\n  template:\n    metadata: {labels: {app: w}}\n    spec:\n      containers:\n"
                "        - {name: c, command: [\"/bin/true\"]}\n" % (key, value)).encode()
        for reply in self.ask(field(3, field(1, field(1, b"w.yaml") + field(2, text)))):
            for number, result in fields(reply):
                if number == 4:
                    done = dict(fields(result))
                    if done.get(2) in (b"created", b"configured"):
                        return done[3]
        raise OSError("refused")

    def read(self):
        """Value and version of each key."""
        found = {}
        for reply in self.ask(field(4, field(1, b"deployments") + field(3, b"default"))):
            for number, view in fields(reply):
                if number == 10:
                    raise OSError("refused")
                if number == 6:
                    about = dict(fields(dict(fields(dict(fields(view))[1]))[3]))
                    note = dict(fields(about[8])) if 8 in about else {}
                    found[about[1].decode()] = (note.get(2, b"").decode(), about[5])
        return found


class LegionCluster:
    name = "legion"

    def __init__(self, bin_folder, network):
        self.network = network
        self.cluster = FarCluster(bin_folder, network, api_far=True) if network else Cluster(bin_folder)

    def __enter__(self):
        self.cluster.__enter__()
        for key in keys:
            self.client(0).put(key, "first")
        self.await_whole()
        return self

    def described(self):
        for node in self.cluster.nodes:
            done = node.ctl("describe", "deployment", keys[0], check=False)
            if done.returncode == 0 and "Kept by" in done.stdout:
                return done.stdout
        return ""

    def leader(self):
        line = next(x for x in self.described().splitlines() if x.startswith("Kept by"))
        return next(i for i, n in enumerate(self.cluster.nodes) if n.name in line.split("(leads)")[0].split())

    def client(self, index):
        node = self.cluster.nodes[index]
        return LegionClient((node.api_address, node.api))

    def pid(self, index):
        return self.cluster.nodes[index].process.pid

    def restart(self, index):
        self.cluster.nodes[index].process.wait()
        self.cluster.nodes[index].start().await_up()

    def await_whole(self):
        wait_for("three nodes keep it", lambda: "3 of 3 are up" in self.described(), 60)

    def __exit__(self, *how):
        self.cluster.__exit__(*how)


class EtcdClient:
    def __init__(self, grpc, address):
        self.channel = grpc.insecure_channel(address)
        self.call = self.channel.unary_unary("/etcdserverpb.KV/Put")
        self.range = self.channel.unary_unary("/etcdserverpb.KV/Range")
        self.ask = self.channel.unary_unary("/etcdserverpb.Maintenance/Status")

    def put(self, key, value):
        try:
            # Asked anew soon: a try that waits long would hide when writes are back.
            reply = self.call(field(1, key.encode()) + field(2, value.encode() + b" " + b"." * 300), timeout=0.2)
        except Exception as why:
            raise OSError(str(why)) from None
        return dict(fields(dict(fields(reply))[1]))[3]

    def read(self):
        try:
            reply = self.range(field(1, b"w") + field(2, b"x"), timeout=2)
        except Exception as why:
            raise OSError(str(why)) from None
        pairs = [dict(fields(kv)) for number, kv in fields(reply) if number == 2]
        return {kv[1].decode(): (kv[5].decode().split()[0], kv[3]) for kv in pairs}

    def status(self):
        return dict(fields(self.ask(b"", timeout=2)))


class EtcdCluster:
    name = "etcd"

    def __init__(self, grpc, network):
        self.grpc, self.network = grpc, network
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="legion-bench-etcd-"))
        self.processes = [None] * 3
        hosts = [network.address(i) if network else "127.0.0.1" for i in range(3)]
        self.clients = [f"{h}:{23790 + 10 * i}" for i, h in enumerate(hosts)]
        self.peers = [f"http://{h}:{23791 + 10 * i}" for i, h in enumerate(hosts)]

    def start(self, index, state):
        peers = ",".join(f"e{i}={p}" for i, p in enumerate(self.peers))
        client, peer = "http://" + self.clients[index], self.peers[index]
        with open(self.folder / f"e{index}.log", "ab") as log:
            self.processes[index] = subprocess.Popen(
                [*(self.network.enter(index) if self.network else []),
                 "etcd", "--name", f"e{index}", "--data-dir", str(self.folder / f"e{index}"),
                 "--listen-client-urls", client, "--advertise-client-urls", client,
                 "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                 "--initial-cluster", peers, "--initial-cluster-state", state], stdout=log, stderr=log)

    def __enter__(self):
        for i in range(3):
            self.start(i, "new")
        self.await_whole()
        for key in keys:
            self.client(0).put(key, "first")
        return self

    def whole(self):
        try:
            for i in range(3):
                self.client(i).put("whole", "yes")
            return True
        except OSError:
            return False

    def await_whole(self):
        wait_for("etcd is whole", self.whole, 60)

    def leader(self):
        def told():
            leaders, leader = {}, 0
            for i in range(3):
                status = self.client(i).status()
                leaders[dict(fields(status[1]))[2]] = i
                leader = status.get(4, 0)  # absent while it knows none
            return [leaders[leader]] if leader in leaders else []
        return wait_for("etcd has a leader", told, 30)[0]

    def client(self, index):
        return EtcdClient(self.grpc, self.clients[index])

    def pid(self, index):
        return self.processes[index].pid

    def restart(self, index):
        self.processes[index].wait()
        self.start(index, "existing")

    def __exit__(self, *_):
        for process in self.processes:
            if process and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def updates(store, count):
    client = store.client(0)
    client.put(keys[0], "warm")
    times = []
    for i in range(count):
        begin = time.monotonic()
        client.put(keys[0], f"{begin}-{i}")
        times.append((time.monotonic() - begin) * 1000)
    return times


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


class Ledger:
    """What was tried of each key, in order, and which of it was acknowledged."""

    def __init__(self):
        self.open = {}      # key: values whose end nobody knows; each may come to be there at any later time, or never
        self.last = {}      # key: the value that was acknowledged last, and its version
        self.count = 0      # acknowledged in all
        self.number = 0

    def write(self, client):
        key = keys[self.number % len(keys)]
        value = f"v{self.number}"
        self.number += 1
        tried = self.open.setdefault(key, set())
        tried.add(value)
        version = client.put(key, value)
        tried.remove(value)
        self.last[key] = (value, version)
        self.count += 1

    def check(self, store, index):
        def read():
            try:
                return store.client(index).read()
            except OSError:
                return None
        found = wait_for("all is read", read, 30)
        for key, (told, version) in self.last.items():
            value, now = found.get(key, ("nothing", 0))
            kept = value == told and now == version
            if not kept and not (value in self.open[key] and now > version):
                raise LabFailure(f"{store.name} LOST A WRITE: {key} is {value!r} in version {now}; acknowledged was "
                                 f"{told!r} in version {version}")


def lose_leader(store, ledger, network, how, rng):
    """How long no write was acknowledged."""
    leader = store.leader()
    other = (leader + 1) % 3
    client = store.client(other)
    struck = []

    def strike():
        time.sleep(rng.uniform(0.02, 0.08))
        struck.append(time.monotonic())
        if how == "cut":
            network.isolate(leader)
        else:
            os.kill(store.pid(leader), signal.SIGKILL if how == "kill" else signal.SIGSTOP)

    striking = threading.Thread(target=strike)
    striking.start()
    begun = time.monotonic()
    while True:
        begin = time.monotonic()
        try:
            ledger.write(client)
            if struck and not striking.is_alive() and begin > struck[0]:
                break
        except OSError:
            time.sleep(0.005)
            with contextlib.suppress(OSError):
                client = store.client(other)
        if time.monotonic() - begun > 60:
            raise LabFailure(f"{store.name}: no write for 60 s")
    took = time.monotonic() - struck[0]
    striking.join()
    ledger.check(store, other)
    if how == "kill":
        store.restart(leader)
    elif how == "stop":
        os.kill(store.pid(leader), signal.SIGCONT)
    else:
        network.heal()
    store.await_whole()
    ledger.check(store, leader)
    return took


def compare_updates(stores, given):
    both = {x.name: {"p50": [], "p99": []} for x in stores}
    for i in range(given.rounds):
        for store in stores:
            times = updates(store, given.updates)
            both[store.name]["p50"].append(statistics.median(times))
            both[store.name]["p99"].append(percentile(times, 0.99))
        print(f"  round {i + 1}: " + ", ".join(f"{k} p50 {v['p50'][-1]:.2f} ms p99 {v['p99'][-1]:.2f} ms"
                                               for k, v in both.items()), flush=True)
    if given.rounds:
        mine, its = (statistics.median(both[x.name]["p50"]) for x in stores)
        mine99, its99 = (statistics.median(both[x.name]["p99"]) for x in stores)
        print(f"update: median of {given.rounds} rounds: p50 {mine:.2f} ms, {mine / its:.2f} times etcd's {its:.2f} ms (at most 1.5); "
              f"p99 {mine99:.2f} ms, etcd's {its99:.2f} ms (no worse)", flush=True)


words = {"kill": "kill -9 of the leader", "stop": "SIGSTOP of the leader", "cut": "a cut of the leader's link"}


def compare_losses(stores, network, how, count, rng, ledgers):
    back = {x.name: [] for x in stores}
    before = {x.name: ledgers[x.name].count for x in stores}
    for trial in range(count):
        for store in stores:
            back[store.name].append(lose_leader(store, ledgers[store.name], network, how, rng))
        print(f"  {how} {trial + 1}: " + ", ".join(f"{k} {v[-1] * 1000:.0f} ms" for k, v in back.items()), flush=True)
    for name, times in back.items():
        if times:
            print(f"writes back after {words[how]}, {name}: {count} trials, median {statistics.median(times) * 1000:.0f} ms, "
                  f"p99 {percentile(times, 0.99) * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms; "
                  f"{ledgers[name].count - before[name]} writes acknowledged, none lost", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    end_orderly()
    with contextlib.ExitStack() as opened:
        network = None
        if given.cuts:
            try:
                network = opened.enter_context(Network(3))
                network.move_in()
            except Skip as why:
                network, given.cuts = None, 0
                print(f"cut links: skipped: {why}", flush=True)
        try:
            import grpc  # only now: its threads stay in the network in which they began
        except ImportError:
            sys.exit("grpc for Python is missing: apt-get install etcd-server python3-grpcio, then run this with /usr/bin/python3")
        stores = [opened.enter_context(LegionCluster(given.bin, network)), opened.enter_context(EtcdCluster(grpc, network))]
        compare_updates(stores, given)
        rng = random.Random(given.seed)
        ledgers = {x.name: Ledger() for x in stores}
        for how, count in (("kill", given.kills), ("stop", given.stops), ("cut", given.cuts)):
            compare_losses(stores, network, how, count, rng, ledgers)


if __name__ == "__main__":
    main()
