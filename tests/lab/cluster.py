"""Real legion-node processes on loopback, for the lab and the bench: started, watched, broken, and cleaned up."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


class LabFailure(Exception):
    pass


class Skip(Exception):
    """This machine forbids what the test needs."""


def check(condition, what):
    if not condition:
        raise LabFailure(what)


def wait_for(what, condition, seconds=20.0):
    """Waits for an event, with a deadline. Returns what the condition returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabFailure(f"waited {seconds:g} s for: {what}")
        time.sleep(0.05)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


lane = 0  # of this process: each has ports of its own


def free_port_base(count):
    """The first of `count` ports in a row that nobody listens on."""
    first = 17000 + 1000 * lane
    for base in range(first, first + 1000 - count, count):
        sockets = []
        try:
            for port in range(base, base + count):
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
                sockets.append(s)
            return base
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise LabFailure("no free ports")


class Node:
    def __init__(self, cluster, index):
        self.cluster = cluster
        self.index = index
        self.name = f"n{index + 1}"
        self.data = cluster.folder / self.name
        self.listen = cluster.base + 2 * index
        self.api = cluster.base + 2 * index + 1
        self.address = self.api_address = "127.0.0.1"
        self.wrap = []  # words before its commands
        self.process = None
        self.log = cluster.folder / f"{self.name}.log"

    def command(self, *extra):
        first = cluster_ports(self.index)
        return [*self.wrap, str(self.cluster.bin / "legion-node"), "--name", self.name, "--data", str(self.data),
                "--listen", f"{self.address}:{self.listen}", "--api", f"{self.api_address}:{self.api}",
                "--ports", f"{first}-{first + 99}", *extra]

    def start(self, *extra):
        join = [] if self.index == 0 else ["--join", self.cluster.join]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(*join, *self.cluster.options, *extra), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        return self

    def await_up(self, seconds=15):
        wait_for(f"{self.name} answers", lambda: self.ctl("get", "nodes", check=False).returncode == 0, seconds)
        return self

    def ctl(self, *words, check=True, text_input=None, binary_input=None, binary=False, timeout=60):
        """`binary`: what it says is bytes; `binary_input`: what it reads is."""
        target = ["--target", f"{self.api_address}:{self.api}"]
        done = subprocess.run([*self.wrap, str(self.cluster.bin / "legionctl"), *target, *words],
                              capture_output=True, input=binary_input or (text_input or "").encode(), timeout=timeout)
        if not binary:
            done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        if check and done.returncode != 0:
            raise LabFailure(f"legionctl {' '.join(words)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def kill(self):
        self.process.kill()
        self.process.wait()

    def terminate(self):
        self.process.terminate()
        return self.process.wait(20)

    def supervisor_pid(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"supervise" in words and str(self.data).encode() in words:
                return int(pid)
        return 0


def cluster_ports(index):
    return 24000 + 1000 * lane + 100 * index


class Cluster:
    """n nodes and their folder; `with` ends all of it: nodes, supervisors, workloads, files."""

    def __init__(self, bin_folder, count=3, options=()):
        self.bin = pathlib.Path(bin_folder).resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="legion-lab-"))
        self.base = free_port_base(2 * count)
        self.options = list(options)
        self.nodes = [self.make_node(i) for i in range(count)]
        self.join = None

    def make_node(self, index):
        return Node(self, index)

    def __enter__(self):
        try:
            self.nodes[0].start()
            self.join = wait_for("the first node's join string", self.read_join)
            for node in self.nodes[1:]:
                node.start()
            for node in self.nodes:
                wait_for(f"{node.name} sees {len(self.nodes)} nodes Ready", lambda n=node: self.ready(n) == len(self.nodes))
        except BaseException:
            self.close()
            raise
        return self

    def read_join(self):
        if self.nodes[0].process.poll() is not None:
            raise LabFailure("the first node ended: " + self.nodes[0].log.read_text())
        for word in self.nodes[0].log.read_text().split():
            if "#" in word and word.startswith(self.nodes[0].address + ":"):
                return word
        return None

    @staticmethod
    def ready(node):
        done = node.ctl("get", "nodes", check=False)
        return sum("Ready" in line.split() for line in done.stdout.splitlines())

    def pods(self, node=None):
        """The replicas as a living node tells of them, by name."""
        node = node or next(n for n in self.nodes if n.process and n.process.poll() is None)
        done = node.ctl("get", "pods", "-A", "-o", "json", check=False)
        if done.returncode not in (0, 3) or not done.stdout:  # 3: what some would say is missing
            return {}
        found = json.loads(done.stdout)
        return {x["metadata"]["name"]: x for x in found.get("items", [found] if found.get("kind") == "Pod" else [])}

    def ready_pods(self, node=None):
        return {name: pod for name, pod in self.pods(node).items() if is_ready(pod)}

    def by_name(self, name):
        return next(n for n in self.nodes if n.name == name)

    def close(self):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
        for node in self.nodes:
            if not node.process:
                continue
            try:
                subprocess.run([str(self.bin / "legion-node"), "--drain", "--data", str(node.data)],
                               capture_output=True, timeout=60)
            except subprocess.TimeoutExpired:
                pass
            if node.process.poll() is None:
                node.process.kill()
            node.process.wait()
        left = processes_in(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        return left

    def __exit__(self, kind, *_):
        logs = {n.name: n.log.read_text()[-3000:] if n.log.exists() else "" for n in self.nodes}
        left = self.close()
        if kind is not None:
            for name, text in logs.items():
                print(f"--- end of {name}'s log\n{text}")
        elif left:
            raise LabFailure(f"left behind: {left}")


def processes_in(folder):
    """Processes whose command line, working folder or environment names the lab's folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        try:
            line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            cwd = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        if str(folder) in line or cwd.startswith(str(folder)):
            found.append((int(pid), line.strip()))
    return found


def exactly_named(pods, count, name):
    """The pods of this deployment, if they are so many."""
    mine = {k: v for k, v in pods.items() if k.startswith(name + "-")}
    return mine if len(mine) == count else None


def is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def node_of(pod):
    return pod.get("spec", {}).get("nodeName")


def pid_of(pod):
    return pod["status"]["containerStatuses"][0]["pid"]


def host_ports(pod):
    return [p["hostPort"] for p in pod["status"].get("legion.dev/ports", [])]


def drained(cluster, node):
    done = subprocess.run([str(cluster.bin / "legion-node"), "--drain", "--data", str(node.data)], capture_output=True,
                          text=True, timeout=60)
    check(done.returncode == 0, f"drain of {node.name}: {done.stderr}")
    node.process.wait(10)
    return done.stdout


def end_orderly():
    """On SIGTERM what is open is cleaned up, as at any other end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def keeper_of(cluster, name="web", at=None):
    """The node that keeps a Deployment, as `describe` says."""
    text = (at or cluster.nodes[0]).ctl("describe", "deployment", name).stdout
    for line in text.splitlines():
        if line.strip().lower().startswith("keeper"):
            for node in cluster.nodes:
                if node.name in line.replace(",", " ").split():
                    return node
    raise LabFailure("describe names no keeper:\n" + text)
