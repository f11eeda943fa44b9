"""A small network of the lab's own: nodes in network namespaces, joined by a bridge whose ports can be taken away.

A node listens on loopback only, until it is checked who may join. So the namespaces are given 127.77.0.0/24 between them: Linux
routes loopback addresses over an interface that has `route_localnet`. Entered with nsenter: `ip netns exec` would hide cgroups.
"""

import ctypes
import os
import shutil
import subprocess

from cluster import Cluster, LabFailure, Node, Skip

CLONE_NEWNET = 0x40000000


def ip(*words, inside=None, check=True):
    enter = ["nsenter", f"--net=/run/netns/{inside}"] if inside else []
    done = subprocess.run([*enter, "ip", *words], capture_output=True, text=True, timeout=20)
    if check and done.returncode != 0:
        raise LabFailure(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Network:
    """`count` namespaces on one bridge, which is in a namespace too, with an address for whoever watches."""

    def __init__(self, count):
        self.hub = f"legion-lab-{os.getpid()}-hub"
        self.spaces = [f"legion-lab-{os.getpid()}-n{i + 1}" for i in range(count)]

    @staticmethod
    def address(index):
        return f"127.77.0.{index + 1}"

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skip("needs root for network namespaces")
        for tool in ("ip", "nsenter"):
            if not shutil.which(tool):
                raise Skip(f"needs {tool} for network namespaces")
        try:
            ip("netns", "add", self.hub)
        except LabFailure as why:
            raise Skip(f"this machine makes no network namespaces: {why}") from None
        try:
            self.open(self.hub)
            # An address of its own: else a bridge has the lowest of its ports', and another one when that port is taken away.
            ip("link", "add", "zone", "address", "02:4c:00:00:00:fe", "type", "bridge", inside=self.hub)
            self.join(self.hub, "zone", "127.77.0.254")
            for i, space in enumerate(self.spaces):
                ip("netns", "add", space)
                self.open(space)
                ip("link", "add", f"port{i}", "type", "veth", "peer", "name", "up0", "netns", space, inside=self.hub)
                ip("link", "set", f"port{i}", "master", "zone", "up", inside=self.hub)
                self.join(space, "up0", self.address(i))
        except BaseException:
            self.close()
            raise
        return self

    @staticmethod
    def open(space):
        """Loopback without the whole of 127.0.0.0/8, of which some is elsewhere here."""
        ip("link", "set", "lo", "up", inside=space)
        ip("addr", "del", "127.0.0.1/8", "dev", "lo", inside=space)
        ip("addr", "add", "127.0.0.1/32", "dev", "lo", inside=space)

    @staticmethod
    def join(space, device, address):
        setting = f"/proc/sys/net/ipv4/conf/{device}/route_localnet"
        done = subprocess.run(["nsenter", f"--net=/run/netns/{space}", "sh", "-c", f"echo 1 > {setting}"],
                              capture_output=True, text=True, timeout=20)
        if done.returncode != 0:
            raise Skip(f"route_localnet cannot be set here: {done.stderr.strip()}")
        ip("addr", "add", address + "/24", "dev", device, inside=space)
        ip("link", "set", device, "up", inside=space)

    def enter(self, index):
        """The words before a command that is to run there."""
        return ["nsenter", f"--net=/run/netns/{self.spaces[index]}"]

    def isolate(self, index):
        """Nobody reaches it and it reaches nobody; nobody is told."""
        ip("link", "set", f"port{index}", "nomaster", inside=self.hub)

    def pull(self, index):
        """As `isolate`, but its own link goes down, too."""
        ip("link", "set", f"port{index}", "down", inside=self.hub)

    def cut(self, a, b):
        """These two don't reach each other; others reach both."""
        for here, there in ((a, b), (b, a)):
            ip("route", "replace", "blackhole", self.address(there) + "/32", inside=self.spaces[here])

    def heal(self):
        for i, space in enumerate(self.spaces):
            ip("link", "set", f"port{i}", "master", "zone", "up", inside=self.hub)
            for k in range(len(self.spaces)):
                ip("route", "del", "blackhole", self.address(k) + "/32", inside=space, check=False)

    def move_in(self):
        """This process is in the hub's namespace from here on. Before it has other threads."""
        with open(f"/run/netns/{self.hub}") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
                raise Skip("this process may not enter a network namespace")

    def close(self):
        for space in [*self.spaces, self.hub]:
            ip("netns", "del", space, check=False)

    def __exit__(self, *_):
        inside = [pid for space in self.spaces for pid in ip("netns", "pids", space, check=False).split()]
        self.close()
        if inside:
            raise LabFailure(f"processes left in the lab's network: {inside}")


class FarNode(Node):
    """A node in a namespace of its own."""

    def __init__(self, cluster, index):
        super().__init__(cluster, index)
        self.address = Network.address(index)
        self.listen = 7710
        self.api = 7711
        self.api_address = self.address if cluster.api_far else "127.0.0.1"
        self.wrap = cluster.network.enter(index)


class FarCluster(Cluster):
    """Nodes that a link parts. `api_far`: their APIs are for the hub's namespace; else each for its own."""

    def __init__(self, bin_folder, network, api_far=False, **more):
        self.network = network
        self.api_far = api_far
        super().__init__(bin_folder, len(network.spaces), **more)

    def make_node(self, index):
        return FarNode(self, index)

    def close(self):
        self.network.heal()
        return super().close()
