"""Workloads: started, adopted, replaced, broken, and given up."""

import json
import os
import signal
import socket
import subprocess
import threading
import time

from cluster import Cluster, Node, Skip, alive, check, cluster_ports, host_ports, keeper_of, node_of, pid_of, processes_in, wait_for
from web import web, apply, applied, exactly, folded, fetch, other_than

tests = []


def test(function):
    tests.append(function)
    return function


@test
def a_deployment_runs_on_three_nodes_and_answers(bin_folder):
    with Cluster(bin_folder) as c:
        pods = applied(c, 3)
        check(len({node_of(p) for p in pods.values()}) == 3, "the replicas are not spread over the three nodes")
        for name, pod in pods.items():
            page = fetch(host_ports(pod)[0])
            check(name in page, f"{name} answers with another page: {page!r}")
        again = apply(c.nodes[1], web(3))
        check("unchanged" in again.stdout, "an unchanged file is not called unchanged: " + again.stdout)
        check(set(c.pods()) == set(pods), "an unchanged file changed the replicas")
        name = sorted(pods)[0]
        check("started " + name in c.nodes[2].ctl("logs", name).stdout, "logs lack what the replica printed")
        check("offer" in c.nodes[1].ctl("why", name).stdout.lower(), "why names no offer")
        c.nodes[2].ctl("scale", "deployment", "web", "--replicas", "5")
        wait_for("5 ready", lambda: exactly(c.ready_pods(), 5))
        c.nodes[0].ctl("delete", "deployment", "web")
        wait_for("no replicas", lambda: not c.pods())
        wait_for("no processes", lambda: not any("httpd" in line for _, line in processes_in(c.folder)))
        check("started " + name in c.nodes[2].ctl("logs", name).stdout, "a deleted replica's output is lost")


@test
def a_node_that_dies_is_replaced_and_ends_its_old_replicas_when_it_returns(bin_folder):
    with Cluster(bin_folder) as c:
        pods = applied(c, 3)
        keeper = keeper_of(c)
        victim = other_than(c, keeper)
        mine = {k for k, p in pods.items() if node_of(p) == victim.name}
        check(mine, "the victim runs nothing")
        begin = time.monotonic()
        victim.kill()
        wait_for("3 ready elsewhere", lambda: (lambda p: p and not any(node_of(x) == victim.name for x in p.values()))(
            exactly(c.ready_pods(keeper), 3)), 15)
        print(f"    replaced after {time.monotonic() - begin:.2f} s")
        victim.start().await_up()
        wait_for("the replaced replicas have ended", lambda: not mine & set(c.pods(keeper))
                 and not any("httpd" in line for _, line in processes_in(victim.data)), 10)
        check(exactly(c.ready_pods(keeper), 3), "not three replicas after the return")


@test
def a_node_that_restarts_adopts_its_workloads(bin_folder):
    with Cluster(bin_folder) as c:
        pods = applied(c, 3)
        for how in ("kill -9", "SIGTERM"):
            victim = c.nodes[1]
            name, pod = next((k, p) for k, p in pods.items() if node_of(p) == victim.name)
            pid = pid_of(pod)
            victim.kill() if how == "kill -9" else victim.terminate()
            check(alive(pid), f"the workload ended with its node after {how}")
            victim.start().await_up()
            back = wait_for(f"{name} adopted after {how}", lambda: c.ready_pods().get(name))
            check(pid_of(back) == pid, f"after {how}: pid {pid_of(back)}, expected {pid}")
            check(alive(pid), f"the workload ended at its node's start after {how}")


@test
def a_changed_template_replaces_replicas_new_ready_before_old_stops(bin_folder):
    with Cluster(bin_folder) as c:
        old = set(applied(c, 3))
        apply(c.nodes[0], web(3).replace("started $POD", "begun $POD"))
        fewest = 3
        end = time.monotonic() + 40
        while True:
            ready = exactly_name(c.ready_pods(), "web")
            fewest = min(fewest, len(ready))
            if len(ready) == 3 and not set(ready) & old and len(c.pods()) == 3:
                break
            check(time.monotonic() < end, "the rollout did not end: " + c.nodes[0].ctl("get", "pods").stdout)
        check(fewest == 3, f"only {fewest} replicas were ready during the rollout")


def exactly_name(pods, name):
    return {k: v for k, v in pods.items() if k.startswith(name + "-")}


@test
def a_crashing_workload_backs_off_and_keeps_its_exit_code_and_output(bin_folder):
    with Cluster(bin_folder, 1) as c:
        apply(c.nodes[0], """apiVersion: v1
kind: Pod
metadata: {name: crasher}
spec:
  containers:
    - name: main
      command: ["/bin/sh", "-c", "echo last words; exit 3"]
""")
        wait_for("two lives and a back-off", lambda: "CrashLoopBackOff" in c.nodes[0].ctl("get", "pods").stdout, 30)
        check("last words" in c.nodes[0].ctl("logs", "crasher", "--previous").stdout, "the last life's output is lost")
        told = c.nodes[0].ctl("describe", "pod", "crasher").stdout
        check(any(line.strip().startswith("Last life:") and "exit code 3," in line for line in told.splitlines()),
              "describe lacks the exit code:\n" + told)


@test
def out_of_memory_is_recognised(bin_folder):
    if os.geteuid() != 0:
        raise Skip("needs root for memory limits")
    with Cluster(bin_folder, 1) as c:
        apply(c.nodes[0], """apiVersion: v1
kind: Pod
metadata: {name: glutton}
spec:
  restartPolicy: Never
  containers:
    - name: main
      command: ["/bin/sh", "-c", "x=x; while :; do x=$x$x; done"]
      resources: {limits: {memory: 16Mi}}
""")
        wait_for("OOMKilled", lambda: "OOMKilled" in c.nodes[0].ctl("describe", "pod", "glutton").stdout, 30)


@test
def a_killed_supervisor_is_replaced_and_workloads_come_back(bin_folder):
    with Cluster(bin_folder) as c:
        applied(c, 3)
        victim = c.nodes[1]
        pid = victim.supervisor_pid()
        check(pid, "the node has no supervisor")
        os.kill(pid, signal.SIGKILL)
        wait_for("another supervisor", lambda: victim.supervisor_pid() not in (0, pid), 20)
        pods = wait_for("3 ready again", lambda: exactly(c.ready_pods(), 3), 40)
        name = next(k for k, p in pods.items() if node_of(p) == victim.name)
        why = f"the supervisor (pid {pid}) was lost"
        wait_for("its pods say why they ended",
                 lambda: folded(c.nodes[0].ctl("describe", "pod", name).stdout).count(why) >= 2)  # last life, and event
        node = folded(c.nodes[0].ctl("describe", "node", victim.name).stdout)
        check(f"supervisor {victim.supervisor_pid()}" in node, "describe node has another supervisor: " + node)
        check("SupervisorLost" in node, "describe node has no event of it: " + node)


@test
def a_port_that_a_stranger_took_is_regretted_and_not_offered_again(bin_folder):
    with Cluster(bin_folder, 1) as c, socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = cluster_ports(0) + 7
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        node = c.nodes[0]
        apply(node, f"""apiVersion: v1
kind: Pod
metadata: {{name: fixed}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      command: [sleep, "1000"]
      ports: [{{containerPort: 80, hostPort: {port}}}]
""")
        taken = f"ports: hostPort {port} is used by a process that is not of this cluster"
        why = wait_for("why tells of the regret and of the decline that followed",
                       lambda: (lambda t: t if t.count(taken) >= 3 else "")(folded(node.ctl("why", "fixed").stdout)))
        check("accepted, then regretted: " + taken in why, "why hides the regret: " + why)
        check("declined: " + taken in why, "the port was offered again: " + why)
        stranger.close()
        wait_for("it runs once the stranger has gone", lambda: "fixed" in c.ready_pods(), 30)


@test
def a_stopped_node_is_replaced_and_ends_what_was_replaced_when_it_goes_on(bin_folder):
    with Cluster(bin_folder) as c:
        pods = applied(c, 3)
        keeper = keeper_of(c)
        victim = other_than(c, keeper)
        mine = {k for k, p in pods.items() if node_of(p) == victim.name}
        os.kill(victim.process.pid, signal.SIGSTOP)
        begin = time.monotonic()
        wait_for("3 ready elsewhere", lambda: (lambda p: p and not mine & set(p))(exactly(c.ready_pods(keeper), 3)), 25)
        wait_for("20 s have passed", lambda: time.monotonic() - begin > 20, 25)
        os.kill(victim.process.pid, signal.SIGCONT)
        woken = time.monotonic()
        wait_for("the replaced replicas have ended", lambda: not mine & set(c.pods(keeper)), 10)
        print(f"    ended {time.monotonic() - woken:.2f} s after SIGCONT")
        check(exactly(c.ready_pods(keeper), 3), "not three replicas after the return")


class Rootless(Cluster):
    """One node of a user that has no rights."""

    def make_node(self, index):
        node = Node(self, index)
        node.wrap = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        os.chown(self.folder, 65534, 65534)
        if subprocess.run([*node.wrap, str(self.bin / "legion-node"), "--version"], capture_output=True).returncode != 0:
            raise Skip("another user cannot run the binary here")
        return node


@test
def without_root_a_killed_init_leaves_nothing_that_runs(bin_folder):
    pod = """apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  restartPolicy: Never
  containers: [{name: a, command: [sh, -c, "setsid sleep 4711 & sleep 4712; echo end"]}]
"""
    with Rootless(bin_folder, 1) as c:
        c.nodes[0].ctl("apply", "--wait", "-f", "-", text_input=pod)
        left = wait_for("both sleep", lambda: (p := [pid for pid, line in processes_in("sleep 471")]) and len(p) >= 2 and p, 10)
        inits = [pid for pid in map(parent_of, left) if "legion-init" in name_of(pid)]
        check(inits, "no init is found")
        for pid in set(inits):
            os.kill(pid, signal.SIGKILL)
        wait_for("nothing of it runs", lambda: not any(alive(p) for p in left), 10)


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


def name_of(pid):
    with open(f"/proc/{pid}/comm") as file:
        return file.read()


def watched(bin_folder, strike):
    """A watch at a node that is struck goes on at another one, and tells of what comes after."""
    with Cluster(bin_folder) as c:
        applied(c, 2)
        wait_for("three nodes keep it", lambda: "3 of 3 are up" in c.nodes[0].ctl("describe", "deployment", "web").stdout, 30)
        targets = ",".join(f"127.0.0.1:{n.api}" for n in c.nodes)
        watch = subprocess.Popen([str(c.bin / "legionctl"), "--target", targets, "get", "deployments", "-w"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(iter(watch.stdout.readline, "")), daemon=True)
        reader.start()
        wait_for("the first rows", lambda: any("web" in line for line in seen), 10)
        strike(c.nodes[0])
        wait_for("another is asked", lambda: any("broke off; asking" in line for line in seen), 30)
        wait_for("it is scaled", lambda: c.nodes[1].ctl("scale", "deployment", "web", "--replicas", "3", check=False).returncode == 0,
                 20)
        wait_for("it tells of what came after", lambda: any("3/3" in line for line in seen), 30)
        watch.kill()
        watch.wait()


@test
def a_watch_goes_on_elsewhere_when_the_node_asked_dies(bin_folder):
    watched(bin_folder, lambda node: node.kill())


@test
def a_watch_goes_on_elsewhere_when_the_node_asked_stands_still(bin_folder):
    watched(bin_folder, lambda node: node.process.send_signal(signal.SIGSTOP))


@test
def followed_logs_go_on_elsewhere_when_the_node_asked_dies(bin_folder):
    counting = "i=0; while [ $i -lt 600 ]; do echo line $i; i=$((i+1)); sleep 0.05; done; sleep 600"
    with Cluster(bin_folder) as c:
        apply(c.nodes[0], json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "count"}, "spec": {"containers": [
            {"name": "main", "command": ["/bin/sh", "-c", counting]}]}}))
        where = wait_for("it runs", lambda: node_of(c.ready_pods().get("count", {}) or {"spec": {}}) or None, 30)
        runner = c.by_name(where)
        wait_for("three nodes keep it", lambda: "3 of 3 are up" in c.nodes[0].ctl("describe", "pod", "count").stdout, 30)
        asked = other_than(c, runner)
        rest = [n for n in c.nodes if n is not asked]
        targets = ",".join(f"127.0.0.1:{n.api}" for n in [asked] + rest)
        logs = subprocess.Popen([str(c.bin / "legionctl"), "--target", targets, "logs", "-f", "count"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(iter(logs.stdout.readline, "")), daemon=True)
        reader.start()
        wait_for("it follows", lambda: len(seen) > 5, 10)
        asked.kill()
        killed = len(seen)
        wait_for("it goes on", lambda: len(seen) > killed + 100, 30)
        logs.kill()
        reader.join(10)
        said = logs.stderr.read()
        logs.wait()
        check("broke off; asking" in said, "nobody is told that another node is asked: " + said)
        check(seen == [f"line {i}\n" for i in range(len(seen))], f"lines are lost or come twice: {seen}")


@test
def what_is_deleted_is_not_waited_for(bin_folder):
    with Cluster(bin_folder, 1) as c:
        wait = subprocess.Popen([str(c.bin / "legionctl"), "--target", f"127.0.0.1:{c.nodes[0].api}", "apply", "--wait",
                                 "--timeout", "60s", "-f", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        wait.stdin.write(web(2).replace("replicas: 2", "replicas: 2\n  minReadySeconds: 50"))
        wait.stdin.close()
        wait_for("it is there", lambda: "web" in c.nodes[0].ctl("get", "deployments").stdout, 10)
        c.nodes[0].ctl("delete", "deployment", "web")
        said = wait.stdout.read()
        check(wait.wait(20) == 1 and "deleted meanwhile: deployment.apps/web" in said, f"exit {wait.returncode}: {said}")


@test
def a_manifest_of_another_tool_is_refused_with_its_place(bin_folder):
    with Cluster(bin_folder, 1) as c:
        done = c.nodes[0].ctl("apply", "-f", "-", text_input="services:\n  web:\n    image: nginx\n", check=False)
        check(done.returncode == 1 and ":1:1" in done.stdout + done.stderr, f"exit {done.returncode}: {done.stderr}")
        check("deployment" not in c.nodes[0].ctl("get", "deployments").stdout, "something was applied")
