"""Nodes: killed, joined, drained, without a quorum, on a full disk, among strangers."""

import concurrent.futures
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time

from cluster import Cluster, Node, Skip, alive, check, drained, free_port_base, keeper_of, node_of, pid_of, processes_in, wait_for
from web import web, applied, exactly, folded, other_than
from writer import Scaler, Writer, check_all_there, idle

tests = []


def test(function):
    tests.append(function)
    return function


def kept_by_three(cluster, name="web"):
    text = next(n for n in cluster.nodes if n.process.poll() is None).ctl("describe", "deployment", name, check=False).stdout
    return "3 of 3 are up" in text


@test
def each_node_is_killed_in_turn_while_things_are_applied_and_scaled_in_a_loop(bin_folder):
    with Cluster(bin_folder) as c:
        applied(c, 3)
        wait_for("three nodes keep it", lambda: kept_by_three(c), 30)
        with Writer("made", *c.nodes) as writer, Scaler("web", 2, 4, *c.nodes) as scaler:
            for victim in c.nodes:
                writer.wait_for_more()
                victim.kill()
                print(f"    beside dead {victim.name}: a deployment after {writer.wait_for_more():.2f} s, "
                      f"a scaling after {scaler.wait_for_more():.2f} s")
                victim.start().await_up()
                wait_for("three nodes", lambda: all(c.ready(n) == 3 for n in c.nodes), 30)
                wait_for("three nodes keep it", lambda: kept_by_three(c), 30)
        count = check_all_there(c, writer)
        allowed = {scaler.last, *scaler.unsure}
        wait_for(f"one of {allowed} replicas, as was said last",
                 lambda: any(exactly(c.ready_pods(), n) and len(c.pods()) == n for n in allowed), 60)
        print(f"    {count} deployments and {len(scaler.acknowledged)} scalings acknowledged, all there")


@test
def a_zone_that_starts_all_at_once_is_one_zone(bin_folder):
    with Cluster(bin_folder, 6) as c:
        for attempt in range(4):
            for node in c.nodes:
                node.kill()
            with contextlib.ExitStack() as logs:
                for node in random.sample(c.nodes, len(c.nodes)):  # told nothing: from what each remembers
                    log = logs.enter_context(open(node.log, "ab"))
                    node.process = subprocess.Popen(node.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                    start_new_session=True)
            for node in c.nodes:
                wait_for(f"{node.name} sees all, at attempt {attempt}", lambda n=node: c.ready(n) == 6, 20)


@test
def a_cluster_that_begins_with_one_node_grows_to_three_and_outlives_the_first(bin_folder):
    with Cluster(bin_folder, 1) as c:
        founder = c.nodes[0]
        applied(c, 2)
        with Writer("early", founder) as writer:
            writer.wait_for_more()
            c.nodes += [Node(c, 1).start(), Node(c, 2).start()]
            for node in c.nodes:
                node.await_up()
            grew = time.monotonic()
            wait_for("three nodes keep it, and nobody asked for it", lambda: kept_by_three(c), 30)
            print(f"    three nodes keep it {time.monotonic() - grew:.1f} s after they answered")
            writer.wait_for_more()
        wait_for("all have grown", lambda: all("3 of 3 are up" in founder.ctl("describe", "deployment", n).stdout
                                               for n, _ in writer.acknowledged[:5]), 30)
        founder.kill()
        other = c.nodes[1]
        wait_for("the other two decide", lambda: other.ctl("scale", "deployment", "web", "--replicas", "3", check=False)
                 .returncode == 0, 30)
        wait_for("3 ready elsewhere", lambda: (lambda p: p and not any(node_of(x) == founder.name for x in p.values()))(
            exactly(c.ready_pods(other), 3)), 30)
        founder.start().await_up()
        wait_for("three nodes", lambda: all(c.ready(n) == 3 for n in c.nodes), 30)
        check_all_there(c, writer)


@test
def without_a_quorum_it_is_said_and_repair_resumes_with_one(bin_folder):
    with Cluster(bin_folder) as c:
        applied(c, 3)
        wait_for("three nodes keep it", lambda: kept_by_three(c), 30)
        asked, *others = c.nodes
        for node in others:
            node.kill()
        refused = wait_for("a change is refused", lambda: (d := asked.ctl("scale", "deployment", "web", "--replicas", "5",
                                                                          check=False)).returncode != 0 and d, 30)
        check(refused.returncode in (3, 4), f"exit {refused.returncode}: {refused.stderr}")
        wait_for("get says that nobody keeps it", lambda: "did not answer" in
                 (d := asked.ctl("get", "deployments", check=False)).stdout + d.stderr, 15)
        survivor = next((p for p in c.pods(asked).values() if node_of(p) == asked.name), None)
        check(survivor and alive(pid_of(survivor)), "what runs did not go on")
        others[0].start().await_up()
        wait_for("a change is made", lambda: asked.ctl("scale", "deployment", "web", "--replicas", "4",
                                                       check=False).returncode == 0, 30)
        wait_for("4 ready", lambda: exactly(c.ready_pods(asked), 4), 40)


@test
def what_was_acknowledged_survives_kill_9_of_all(bin_folder):
    with Cluster(bin_folder) as c:
        applied(c, 3)
        wait_for("three nodes keep it", lambda: kept_by_three(c), 30)
        with Writer("made", *c.nodes) as writer:
            for _ in range(2):
                writer.wait_for_more()
                for node in c.nodes:  # at once, as far as one can
                    node.process.kill()
                for node in c.nodes:
                    node.process.wait()
                for node in c.nodes:
                    node.start()
                for node in c.nodes:
                    node.await_up()
                print(f"    a write {writer.wait_for_more(seconds=40):.1f} s after all had started again")
        print(f"    {check_all_there(c, writer)} deployments acknowledged, all there")
        wait_for("all replicas ready", lambda: len(c.ready_pods()) == 3, 30)


@test
def a_lost_journal_or_key_is_said_plainly(bin_folder):
    with Cluster(bin_folder, 1) as c:
        node = c.nodes[0]
        pod = pid_of(next(iter(applied(c, 1).values())))
        node.terminate()
        key = (node.data / "node.key").read_bytes()
        (node.data / "node.key").unlink()
        refused = subprocess.run(node.command(), capture_output=True, text=True, timeout=20)
        check(refused.returncode == 1 and "restore node.key" in refused.stderr, "no key: " + refused.stderr)
        check(alive(pod), "a node that refused to start ended a workload")
        (node.data / "node.key").write_bytes(key)
        (node.data / "node.key").chmod(0o600)
        for file in node.data.glob("journal.db*"):
            file.unlink()
        refused = subprocess.run(node.command(), capture_output=True, text=True, timeout=20)
        check(refused.returncode == 1 and "--join" in refused.stderr and "--accept-loss" in refused.stderr,
              "a founder without its journal begins another cluster: " + refused.stderr)
        node.start("--accept-loss").await_up()
        check("journal.db is new, but node.key is not" in node.log.read_text(), "a new journal is not said")
        check("journal.db is new" in folded(node.ctl("describe", "node", node.name).stdout), "describe node is silent")
        wait_for("what no promise is known of has ended", lambda: not alive(pod), 20)
    with Cluster(bin_folder) as c:
        applied(c, 3)
        wait_for("three nodes keep it", lambda: kept_by_three(c), 30)
        node = c.nodes[2]

        def lose(pattern):
            node.terminate()
            for file in node.data.glob(pattern):
                if file.is_file():
                    file.unlink()
            node.start().await_up()
            # Whose journal was set aside is Ready,JournalDamaged until its owner has looked.
            wait_for("3 Ready, for its zone takes it in anew", lambda: sum(
                " Ready" in x for x in c.nodes[0].ctl("get", "nodes", check=False).stdout.splitlines()) >= 3)
            wait_for("3 replicas that run", lambda: (lambda p: p and all(alive(pid_of(x)) for x in p.values()))(
                exactly(c.ready_pods(), 3)), 30)

        lose("journal.*")
        check("the supervisor has its promise" in folded(node.ctl("describe", "node", node.name).stdout), "describe node is silent")
        wait_for("its groups take it in anew, too", lambda: kept_by_three(c), 60)
        lose("[jn]*.*")
        check("journal.db is new" not in folded(node.ctl("describe", "node", node.name).stdout), "it is no new node")


@test
def a_node_that_reaches_nobody_is_joining_and_says_whom_it_asks(bin_folder):
    with Cluster(bin_folder, 1) as c:
        lonely = Node(c, 1)
        c.nodes.append(lonely)
        nobody = free_port_base(1)
        c.join, right = c.join.replace(str(c.nodes[0].listen), str(nobody)), c.join
        lonely.start().await_up()
        told = wait_for("its trouble", lambda: (lambda x: x if "does not answer" in x.stderr else None)(
            lonely.ctl("get", "nodes")))
        check("Joining" in told.stdout and "Ready" not in told.stdout, "get nodes: " + told.stdout)
        check(f"127.0.0.1:{nobody} does not answer" in told.stderr, "get nodes: " + told.stderr)
        lonely.terminate()
        c.join = right
        lonely.start("--zone", "elsewhere").await_up()
        wait_for("the refusal", lambda: "this is zone 'local', you are of zone 'elsewhere'" in lonely.ctl("get", "nodes").stderr)
        lonely.terminate()
        lonely.start()
        wait_for("2 Ready", lambda: c.ready(c.nodes[0]) == 2)


@test
def a_second_node_on_the_same_folder_and_a_taken_port_are_refused(bin_folder):
    with Cluster(bin_folder, 1) as c:
        second = subprocess.run(c.nodes[0].command(), capture_output=True, text=True, timeout=20)
        check(second.returncode == 1 and "in use by process" in second.stderr, "second node: " + second.stderr)
        command = c.nodes[0].command()
        command[command.index("--data") + 1] = str(c.folder / "other")
        taken = subprocess.run(command, capture_output=True, text=True, timeout=20)
        check(taken.returncode == 1 and str(c.nodes[0].listen) in taken.stderr, "taken port: " + taken.stderr)
        command[command.index("--listen") + 1] = f"127.0.0.1:{free_port_base(1)}"
        taken = subprocess.run(command, capture_output=True, text=True, timeout=20)
        check(taken.returncode == 1 and f"--api 127.0.0.1:{c.nodes[0].api}: that port is taken" in taken.stderr,
              "taken API port: " + taken.stderr)
        check(c.ready(c.nodes[0]) == 1, "the first node no longer answers")


@test
def garbage_and_half_messages_on_every_port_stop_nothing(bin_folder):
    rng = random.Random(7)
    with Cluster(bin_folder) as c:
        applied(c, 3)
        with contextlib.ExitStack() as open_sockets:
            for node in c.nodes:
                for port in (node.listen, node.api):
                    for size in (0, 1, 3, 10, 64, 5000, 100000):
                        s = open_sockets.enter_context(socket.create_connection(("127.0.0.1", port), 5))
                        with contextlib.suppress(OSError):
                            s.sendall(rng.randbytes(size))
                    s = open_sockets.enter_context(socket.create_connection(("127.0.0.1", port), 5))
                    with contextlib.suppress(OSError):
                        s.sendall(b"\x00\x00\x10\x00half")
            for node in c.nodes:
                check(c.ready(node) == 3, f"{node.name} does not see three nodes while garbage waits on its ports")
        check(exactly(c.ready_pods(), 3), "the replicas suffered")


@test
def a_full_data_folder_is_said_plainly_and_loses_nothing(bin_folder):
    if os.geteuid() != 0:
        raise Skip("needs root for a small file system")
    with Cluster(bin_folder, 1) as c:
        node = c.nodes[0]
        node.ctl("get", "nodes")
        node.terminate()
        subprocess.run([str(c.bin / "legion-node"), "--drain", "--data", str(node.data)], capture_output=True, timeout=30)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "legion-lab", str(node.data)], check=True)
        try:
            node.start().await_up()
            kept = []
            refused = None
            for i in range(400):
                text = web(0, f"d{i}", "") .replace("labels: {app:", f"annotations: {{pad: {'x' * 20000}}}\n      labels: {{app:")
                done = node.ctl("apply", "-f", "-", text_input=text, check=False)
                if done.returncode != 0:
                    refused = done
                    break
                kept.append(f"d{i}")
            check(refused is not None, "the disk never filled")
            check(refused.returncode == 1 and "full" in (refused.stdout + refused.stderr).lower(),
                  f"exit {refused.returncode}: {refused.stdout}{refused.stderr}")
            node.kill()
            subprocess.run(["mount", "-o", "remount,size=64m", str(node.data)], check=True)
            node.start().await_up()
            listed = wait_for("the deployments are back",
                              lambda: (t := node.ctl("get", "deployments", check=False)).returncode == 0
                              and len(t.stdout.splitlines()) > len(kept) and t.stdout)
            lost = [n for n in kept if n not in listed.split()]
            check(not lost, f"acknowledged and lost: {lost}")
        finally:
            node.terminate()
            subprocess.run([str(c.bin / "legion-node"), "--drain", "--data", str(node.data)], capture_output=True,
                           timeout=30)
            subprocess.run(["umount", "-l", str(node.data)], check=True)


@contextlib.contextmanager
def small_disk(cluster, node, size):
    """The node's data folder is a file system of its own, before its first start and until after its end."""
    node.data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "legion-lab", str(node.data)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(node.data)], check=True)
        shutil.rmtree(cluster.folder, ignore_errors=True)


def fill(file):
    """With it, the file system that it is on takes nothing more."""
    with open(file, "ab", buffering=0) as into, contextlib.suppress(OSError):
        while True:
            into.write(bytes(4096))


@test
def who_leads_on_a_full_disk_steps_down_and_the_others_take_what_is_written(bin_folder):
    if os.geteuid() != 0:
        raise Skip("needs root for a small file system")
    c = Cluster(bin_folder)
    full, second, third = c.nodes
    names = [f"s{i}" for i in range(24)]
    with small_disk(c, full, "16m"), c:
        second.ctl("apply", "-f", "-", text_input="---\n".join(idle(n, 0) for n in names))
        wait_for("three nodes keep all", lambda: all(kept_by_three(c, n) for n in names), 40)
        mine = [n for n in names if keeper_of(c, n) is full]
        check(mine, "who began leads nothing")
        filler = full.data / "filler"

        def says_that_it_is_full():
            fill(filler)  # what its journal gives back, too
            for name in mine:
                second.ctl("apply", "-f", "-", text_input=idle(name, 0, time.monotonic()), check=False)
            return "JournalFull" in second.ctl("describe", "node", full.name, check=False).stdout
        wait_for("its disk is full, and it says so", says_that_it_is_full, 60)
        begun = time.monotonic()
        for name in mine:
            for node in (second, third):
                wait_for(f"{name} is scaled through {node.name}", lambda: node.ctl(
                    "scale", "deployment", name, "--replicas", str(node.index), check=False).returncode == 0, 10)
        print(f"    {2 * len(mine)} changes of what it led in {time.monotonic() - begun:.1f} s")
        check(not any(keeper_of(c, n, second) is full for n in mine), "it leads still")
        for name in mine:
            said = full.ctl("scale", "deployment", name, "--replicas", "1", check=False)
            check(said.returncode == 0 or "full" in said.stdout + said.stderr,
                  f"through the full node: exit {said.returncode}: {said.stdout}{said.stderr}")
        second.ctl("cordon", third.name)
        second.ctl("uncordon", third.name)
        check(full.process.poll() is None, "it ended")

        filler.unlink()
        wait_for("it has space again", lambda: "JournalHasSpace" in second.ctl("describe", "node", full.name, check=False).stdout, 30)
        third.kill()  # of the two that are left both must agree
        for name in mine:
            wait_for(f"{name} is scaled by it and another", lambda: full.ctl(
                "scale", "deployment", name, "--replicas", "0", check=False).returncode == 0, 30)


@test
def drain_ends_the_workloads_and_leaves_nothing(bin_folder):
    with Cluster(bin_folder) as c:
        pods = applied(c, 3)
        victim = next(n for n in c.nodes if n is not keeper_of(c))
        pid = next(pid_of(p) for p in pods.values() if node_of(p) == victim.name)
        done = subprocess.run([str(c.bin / "legion-node"), "--drain", "--data", str(victim.data)], capture_output=True,
                              text=True, timeout=60)
        check(done.returncode == 0, "drain: " + done.stderr)
        check(not alive(pid), "a workload outlived the drain")
        check(not processes_in(victim.data), f"left: {processes_in(victim.data)}")
        victim.process.wait(10)


@test
def a_drain_whose_node_is_killed_is_no_drain(bin_folder):
    with Cluster(bin_folder) as c:
        applied(c, 3)
        victim = c.nodes[1]
        victim.process.send_signal(signal.SIGSTOP)  # it hears of the drain, and gets no further
        drain = subprocess.Popen([str(c.bin / "legion-node"), "--drain", "--data", str(victim.data)],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check("draining" in drain.stdout.readline(), "it does not say that it drains")
        victim.kill()
        out, err = drain.communicate(timeout=60)
        check(drain.returncode == 1 and "ended before it had drained" in err, f"exit {drain.returncode}: {out}{err}")


@test
def who_drains_hands_over_what_it_keeps_and_says_so_where_nobody_can_take_it(bin_folder):
    with Cluster(bin_folder, 2) as c:
        applied(c, 2)
        first, second = c.nodes
        begin = time.monotonic()
        check("note:" not in drained(c, first), "the only voter did not hand over")
        print(f"    drained and handed over after {time.monotonic() - begin:.2f} s")
        second.ctl("scale", "deployment", "web", "--replicas", "3")
        wait_for("3 ready on the other", lambda: exactly(c.ready_pods(second), 3), 20)
        first.start().await_up()
        wait_for("two nodes", lambda: all(c.ready(n) == 2 for n in c.nodes), 30)
        check("note:" not in drained(c, second), "it did not hand back")
        check("web" in first.ctl("get", "deployments").stdout, "what was handed back is gone")
        first.ctl("delete", "deployment", "web")
    with Cluster(bin_folder, 3) as c:
        applied(c, 1)
        wait_for("three nodes keep it", lambda: kept_by_three(c), 30)
        one, two, three = c.nodes
        for node in (one, two):
            check("note:" not in drained(c, node), f"{node.name} left the others without a quorum")
        three.ctl("cordon", three.name)  # the charter was handed over, too
        three.ctl("uncordon", three.name)
        three.ctl("scale", "deployment", "web", "--replicas", "2")
        wait_for("2 ready on the last", lambda: exactly(c.ready_pods(three), 2), 20)
    with Cluster(bin_folder, 3) as c:
        applied(c, 1)
        wait_for("three nodes keep it", lambda: kept_by_three(c), 30)
        one, two, three = c.nodes
        wait_for("three vote in the charter", lambda: "3 of 3" in one.ctl("charter").stdout, 60)
        two.kill()
        wait_for("its death is seen", lambda: "NotReady" in one.ctl("get", "nodes").stdout, 20)
        said = drained(c, three)
        check("note: what 64 keeper groups keep" in said, "nothing is said of what is out of reach")
        check("no node can join" in said, "nothing is said of the charter")
        gone = subprocess.run([str(c.bin / "legion-node"), "--drain", "--data", str(two.data)], capture_output=True,
                              text=True, timeout=60)
        check("note: no node runs on" in gone.stdout, "a drain of a killed node says only " + gone.stdout)


@test
def nodes_that_drain_at_the_same_moment_leave_the_others_a_quorum(bin_folder):
    with Cluster(bin_folder, 5) as c:
        applied(c, 3)
        wait_for("five nodes", lambda: all(c.ready(n) == 5 for n in c.nodes), 30)
        wait_for("three nodes keep it", lambda: kept_by_three(c), 30)
        several = [NAMED.format(name=f"d{i}") for i in range(100)]
        c.nodes[0].ctl("apply", "-f", "-", text_input="---\n".join(several))
        leave, stay = c.nodes[1:4], [c.nodes[0], c.nodes[4]]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for node, said in zip(leave, pool.map(lambda n: drained(c, n), leave)):
                check("note:" not in said, f"{node.name} says {said}")
        again = "---\n".join(several).replace("replicas: 0", "replicas: 0\n  minReadySeconds: 1")
        for node in stay:
            node.ctl("apply", "-f", "-", text_input=again)
        stay[1].ctl("cordon", stay[0].name)
        stay[0].ctl("uncordon", stay[0].name)
        wait_for("3 ready on the two that stay", lambda: (p := c.ready_pods(stay[0])) and exactly(p, 3) and
                 {node_of(x) for x in p.values()} == {n.name for n in stay}, 20)


NAMED = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 0
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: a, command: [sleep, "1"]}}]}}
"""


@test
def what_is_lost_while_a_rollout_is_stuck_comes_back_as_it_was(bin_folder):
    def web(command):
        return NAMED.format(name="web").replace("replicas: 0", "replicas: 3").replace('[sleep, "1"]', command)
    with Cluster(bin_folder, 3) as c:
        one = c.nodes[0]
        one.ctl("apply", "--wait", "-f", "-", text_input=web("[sleep, '1000']"))
        wait_for("three nodes keep it", lambda: kept_by_three(c), 30)
        old = set(c.ready_pods(one))
        check(len(old) == 3, f"ready: {old}")
        one.ctl("apply", "-f", "-", text_input=web("[no-such-program]"))
        wait_for("the new one fails", lambda: len(c.pods(one)) == 4, 20)
        victim = next(n for n in c.nodes[1:] if any(node_of(p) == n.name for p in c.ready_pods(one).values()))
        victim.kill()
        subprocess.run(["kill", "-9", str(victim.supervisor_pid())], check=False)
        wait_for("3 ready, of the earlier template, without the node that died",
                 lambda: (p := c.ready_pods(one)) and len(p) == 3 and all(node_of(x) != victim.name for x in p.values()) and
                 {x["spec"]["containers"][0]["command"][0] for x in p.values()} == {"sleep"}, 20)
        one.ctl("apply", "--wait", "-f", "-", text_input=web("[sleep, '2000']"))
        wait_for("the newest only", lambda: (p := exactly(c.ready_pods(one), 3)) and
                 {x["spec"]["containers"][0]["command"][1] for x in p.values()} == {"2000"}, 20)


@test
def why_and_events_are_still_told_when_the_leader_died(bin_folder):
    with Cluster(bin_folder) as c:
        applied(c, 3)
        wait_for("three nodes keep it", lambda: kept_by_three(c), 30)
        leader = keeper_of(c)
        pod = next(name for name, x in c.pods().items() if node_of(x) != leader.name)
        leader.kill()
        asked = other_than(c, leader)
        told = wait_for("another leads", lambda: (d := asked.ctl("why", pod, check=False)).returncode == 0 and d.stdout, 20)
        check("Round 1" in told and "accepted" in told, "the rounds are forgotten:\n" + told)

        def retold():
            text = asked.ctl("describe", "deployment", "web", check=False).stdout
            events = text.partition("Events:")[2].splitlines()
            return (any(" Scheduled " in line and "web: called for 3 replicas" in line for line in events)
                    and any(" Started " in line and f"{pod}: " in line for line in events))
        wait_for(f"what happened to {pod} is told again", retold, 20)
