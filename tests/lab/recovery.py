"""Quorums lost for good, and whole zones: raised again from what is left, or restored from a backup."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from cluster import Cluster, alive, check, exactly_named, node_of, pid_of, processes_in, wait_for
from writer import Reviser, Writer


def manifest(name, replicas):
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          command: ["/bin/sh", "-c"]
          args: ['exec busybox httpd -f -p "$PORT_HTTP"']
          ports: [{{name: http, containerPort: 80}}]
          resources: {{requests: {{cpu: 5m, memory: 4Mi}}}}
          readinessProbe: {{tcpSocket: {{port: http}}, periodSeconds: 1}}
"""


def apply(node, name, replicas):
    node.ctl("apply", "-f", "-", text_input=manifest(name, replicas))


def kept_by_three(node, name="web"):
    return "3 of 3 are up" in node.ctl("describe", "deployment", name, check=False).stdout


def ready(cluster, node, count, name="web"):
    return wait_for(f"{count} of {name} ready", lambda: exactly_named(cluster.ready_pods(node), count, name), 40)


def cgroups_of(pid):
    """The folders that its node made for what it runs."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return set()
    found = set()
    for line in lines:
        _, names, path = line.split(":", 2)
        parts = path.strip("/").split("/")
        if "legion" in parts and len(parts) > parts.index("legion") + 1:
            mine = "/".join(parts[:parts.index("legion") + 2])
            for name in (names.removeprefix("name=") or "unified", *names.split(",")):
                found.add(pathlib.Path("/sys/fs/cgroup") / name / mine)
    return {x for x in found if x.is_dir()}


def removed_cgroup(folder):
    for path, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(path)
        except OSError:
            return False  # who was killed has not been waited for yet
    return True


def lose(node, wipe=True):
    """The machine is gone: the node, what it ran, and its disk."""
    node.kill()
    groups = set()
    for _ in range(5):
        pids = [pid for pid, _line in processes_in(node.data)]
        for pid in pids:  # all of them before the first dies: the others may die with it
            groups |= cgroups_of(pid)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    wait_for(f"nothing of {node.name} runs", lambda: not processes_in(node.data))
    wait_for(f"{node.name}'s cgroups are gone", lambda: all(removed_cgroup(x) for x in groups))
    if wipe:
        shutil.rmtree(node.data)


def rebuild(node):
    began = time.monotonic()
    shown = node.ctl("keepers", "rebuild", "--dry-run")
    check("lost" in shown.stdout, f"nothing is lost: {shown.stdout}")
    done = node.ctl("keepers", "rebuild", "--yes", "-o", "json")
    told = json.loads(done.stdout)
    check(all(x["state"] == "raised" for x in told["keeperGroups"]), done.stdout)
    print(f"    {len(told['keeperGroups'])} groups shown and raised in {time.monotonic() - began:.1f} s")
    return told


def begin(cluster, idle=True):
    asked = cluster.nodes[0]
    apply(asked, "web", 3)
    if idle:
        apply(asked, "idle", 0)
    pods = ready(cluster, asked, 3)
    wait_for("three nodes keep it", lambda: kept_by_three(asked), 40)
    return pods


def join_of(node):
    for word in node.log.read_text().split():
        if "#" in word and word.startswith("127.0.0.1:"):
            return word
    return None


def two_of_three_lose_their_disks_and_the_third_raises_the_groups(bin_folder):
    with Cluster(bin_folder) as c:
        first, second, last = c.nodes
        pods = begin(c)
        mine = {name: pid_of(x) for name, x in pods.items() if node_of(x) == last.name}
        check(mine, "the last node runs nothing")
        lose(first)
        lose(second)
        # A change that the rest does not count: who led has it in its log already, and raising the groups commits it.
        wait_for("a change is refused", lambda: last.ctl("apply", "-f", "-", text_input=manifest("late", 0),
                                                         check=False).returncode in (3, 4), 40)
        refused = last.ctl("backup", str(c.folder / "half.backup"), check=False)
        check(refused.returncode == 3 and "Nothing was backed up" in refused.stderr, refused.stderr)
        check(not list(c.folder.glob("half*")), "a half-written backup")
        told = rebuild(last)
        check({x["node"] for x in told["keeperGroups"]} == {last.name}, str(told))
        pods = ready(c, last, 3)
        for name, pid in mine.items():
            check(name in pods and pid_of(pods[name]) == pid and alive(pid), f"{name} did not go on as {pid}: {pods.keys()}")
        last.ctl("scale", "deployment", "web", "--replicas", "4")
        pods = ready(c, last, 4)
        check(all(pid_of(pods[n]) == p for n, p in mine.items()), "a replica was begun again")
        check("idle" in last.ctl("get", "deployments").stdout, "what was scaled to zero is gone, though a log knew it")
        again = last.ctl("keepers", "rebuild", "3", check=False)
        check(again.returncode == 1 and "answers" in again.stderr, again.stderr)
        # New machines in their places, once the charter can admit them: the groups grow again.
        last.ctl("charter", "rebuild", "--force")
        c.join = wait_for("the survivor's join string", lambda: join_of(last))
        for node in (first, second):
            node.start("--join", c.join)
            node.await_up()
        wait_for("three nodes keep it", lambda: kept_by_three(last), 60)
        last.ctl("scale", "deployment", "web", "--replicas", "2")
        ready(c, last, 2)


def old_members_that_return_together_stop_and_change_nothing(bin_folder):
    with Cluster(bin_folder) as c:
        first, second, last = c.nodes
        begin(c)
        lose(first, wipe=False)
        lose(second, wipe=False)
        wait_for("a change is refused", lambda: last.ctl("scale", "deployment", "web", "--replicas", "4",
                                                         check=False).returncode in (3, 4), 40)
        rebuild(last)
        last.ctl("scale", "deployment", "web", "--replicas", "5")
        last.ctl("delete", "deployment", "idle")
        apply(last, "new", 1)
        ready(c, last, 5)
        first.start()
        second.start()
        for node in (first, second):
            node.await_up()
        wait_for("three nodes", lambda: all(c.ready(n) == 3 for n in c.nodes), 40)
        wait_for("three nodes keep it", lambda: kept_by_three(last), 60)
        for node in c.nodes:
            wait_for(f"{node.name} tells of what was changed since", lambda n=node: exactly_named(c.ready_pods(n), 5, "web"), 40)
            listed = node.ctl("get", "deployments").stdout.split()
            check("new" in listed and "idle" not in listed, f"{node.name}: {listed}")
        # Their replicas of before were replaced: each runs once.
        wait_for("each replica runs once", lambda: len(workloads(c)) == 6, 40)


def workloads(cluster):
    return [pid for pid, line in processes_in(cluster.folder) if line.startswith("busybox httpd")]


def a_zone_that_lost_all_its_nodes_is_restored_from_a_backup(bin_folder):
    with Cluster(bin_folder) as c:
        begin(c)
        apply(c.nodes[1], "db", 2)
        ready(c, c.nodes[0], 2, "db")
        saved = c.nodes[1].ctl("backup", "-", check=False, binary=True)
        check(saved.returncode == 0, saved.stderr.decode())
        file = c.folder / "zone.backup"
        c.nodes[2].ctl("backup", str(file))
        check(file.stat().st_mode & 0o777 == 0o600, "others can read it")
        verified = c.nodes[0].ctl("backup", "--verify", str(file))
        check("3 resources" in verified.stdout, verified.stdout)
        kept = file.read_bytes()
        for node in c.nodes:
            lose(node)
    with Cluster(bin_folder) as c:
        file = c.folder / "zone.backup"
        file.write_bytes(kept)
        asked = c.nodes[1]
        shown = asked.ctl("restore", str(file), "--dry-run")
        check("would be restored: 3 deployment.apps" in shown.stdout, shown.stdout)
        check(not asked.ctl("get", "deployments", "-o", "name").stdout, "a dry run changed something")
        began = time.monotonic()
        done = asked.ctl("restore", str(file))
        check("restored: 3 deployment.apps" in done.stdout, done.stdout)
        ready(c, asked, 3)
        ready(c, asked, 2, "db")
        print(f"    restored, and 5 replicas ready, in {time.monotonic() - began:.1f} s")
        check("idle" in asked.ctl("get", "deployments").stdout, "what was scaled to zero is missing")
        # Repeated, it changes nothing; over what was changed since only when told to.
        check("unchanged: 3 deployment.apps" in asked.ctl("restore", str(file)).stdout, "a repeat changed something")
        asked.ctl("scale", "deployment", "db", "--replicas", "1")
        ready(c, asked, 1, "db")
        refused = asked.ctl("restore", str(file), check=False)
        check(refused.returncode == 1 and "differs" in refused.stderr, refused.stderr)
        check("kept: 1 deployment.apps" in asked.ctl("restore", str(file), "--missing-only").stdout, "it was not kept")
        asked.ctl("restore", "-", "--force", binary_input=saved.stdout)
        ready(c, asked, 2, "db")
        broken = bytearray(kept)
        broken[len(broken) // 2] ^= 4
        file.write_bytes(broken)
        refused = asked.ctl("restore", str(file), check=False)
        check(refused.returncode == 1 and "does not check" in refused.stderr, refused.stderr)


def what_was_acknowledged_before_a_backup_began_is_in_it(bin_folder):
    """While others make, change and delete: each backup is whole, and lacks nothing that was answered before it was asked for."""
    saved = []  # bytes, names made, names deleted, the version of each name that is changed
    with Cluster(bin_folder) as c:
        first, second, third = c.nodes
        changed = [f"changed{i}" for i in range(8)]
        wait_for("three nodes keep all", lambda: (apply(first, "web", 1), kept_by_three(first))[1], 30)
        under_way = 0
        with Writer("made", first) as writer, Reviser(changed, second) as reviser:
            for i in range(4):
                writer.wait_for_more()
                reviser.wait_for_more(len(changed))
                gone = [n for n, _ in writer.acknowledged[:i + 1]]
                third.ctl("delete", "deployment", gone[-1])
                made = [n for n, _ in writer.acknowledged if n not in gone]
                versions = dict(x for x, _ in reviser.acknowledged)
                file = c.folder / f"{i}.backup"
                begun = time.monotonic()
                third.ctl("backup", str(file))
                ended = time.monotonic()
                meanwhile = sum(begun < at < ended for x in (writer, reviser) for _, at in list(x.acknowledged))
                under_way += meanwhile
                saved.append((file.read_bytes(), made, gone, versions))
                print(f"    backup {i + 1}: {len(made)} made and {len(versions)} changed before, {meanwhile} writes meanwhile")
        check(under_way, "nothing was written while a backup was made")
    with Cluster(bin_folder, 1) as c:
        node, = c.nodes
        file = c.folder / "zone.backup"
        for content, made, gone, versions in saved:
            file.write_bytes(content)
            verified = node.ctl("backup", "--verify", str(file))
            check("is whole" in verified.stdout, verified.stdout)
            node.ctl("restore", str(file))
            listed = json.loads(node.ctl("get", "deployments", "-o", "json").stdout)["items"]
            found = {x["metadata"]["name"]: x["metadata"].get("annotations", {}) for x in listed}
            check(not (lost := set(made) - found.keys()), f"acknowledged before, and not in it: {lost}")
            check(not (back := set(gone) & found.keys()), f"deleted before, and in it: {back}")
            old = {n: v for n, v in versions.items() if int(found.get(n, {}).get("version", 0)) < v}
            check(not old, f"older than was acknowledged: {old}")
            node.ctl("delete", "deployment", *found)
            wait_for("nothing is left", lambda: not node.ctl("get", "deployments", "-o", "name").stdout)


def a_damaged_journal_of_the_only_node_is_raised_from_its_promises(bin_folder):
    with Cluster(bin_folder, 1) as c:
        node, = c.nodes
        apply(node, "web", 2)
        mine = {name: pid_of(x) for name, x in ready(c, node, 2).items()}
        node.kill()
        log = node.data / "journal.db-wal"
        with open(log, "r+b") as file:
            file.seek(len(log.read_bytes().rstrip(b"\0")) // 3)  # the end of it is only reserved
            text = file.read(200)
            file.seek(-200, os.SEEK_CUR)
            file.write(bytes(x ^ 0xff for x in text))
        node.start().await_up()
        wait_for("the damage is told", lambda: "JournalDamaged" in node.ctl("describe", "node", "n1", check=False).stdout)
        refused = node.ctl("scale", "deployment", "web", "--replicas", "3", check=False)
        check(refused.returncode == 3 and "keepers rebuild" in " ".join(refused.stderr.split()), refused.stderr)
        told = rebuild(node)
        check(sum(x["resources"] for x in told["keeperGroups"]) == 1 and not any(x["fromLog"] for x in told["keeperGroups"]), str(told))
        node.ctl("scale", "deployment", "web", "--replicas", "3")
        pods = ready(c, node, 3)
        check(all(n in pods and pid_of(pods[n]) == p for n, p in mine.items()), f"{mine} did not go on: {pods.keys()}")


def copied(node):
    """Stops it, and keeps what its data folder holds then."""
    node.terminate()
    copy = node.data.with_name("copy")
    shutil.copytree(node.data, copy, ignore=shutil.ignore_patterns("*.sock", "lock"))
    return copy


def begin_from(node, copy, another):
    """A killed node begins with the data folder of before: it is told so, and its groups take it in anew."""
    os.kill(node.supervisor_pid(), signal.SIGKILL)
    shutil.rmtree(node.data)
    shutil.copytree(copy, node.data)
    node.start()
    wait_for("it is told", lambda: "JournalDamaged" in node.ctl("describe", "node", node.name, check=False).stdout, 40)
    wait_for("three keep it again", lambda: kept_by_three(another), 60)


def a_node_whose_data_folder_is_an_old_copy_is_admitted_anew(bin_folder):
    """A snapshot of the machine, or a backup of its disk, that was put back: its journal promises less than was said from it."""
    with Cluster(bin_folder, 3) as c:
        first, second, old = c.nodes
        apply(first, "web", 3)
        apply(first, "gone", 3)
        wait_for("three nodes keep it", lambda: kept_by_three(first), 60)
        ready(c, first, 3)
        forgotten = next(pid_of(x) for x in ready(c, first, 3, "gone").values() if node_of(x) == "n3")
        copy = copied(old)
        old.start().await_up()
        first.ctl("delete", "deployment", "gone")
        wait_for("it has ended", lambda: not alive(forgotten), 30)
        for i in range(60):  # in all groups, or nearly
            first.ctl("apply", "-f", "-", text_input=manifest(f"later-{i}", 0))
        old.kill()
        begin_from(old, copy, first)
        wait_for("three keep what is new", lambda: all(kept_by_three(first, f"later-{i}") for i in range(60)), 60)
        wait_for("nothing is promised of what was deleted", lambda: "gone-" not in second.ctl("get", "promises").stdout, 40)
        def only_what_is_ready():
            here = [x for x in c.ready_pods(first).values() if node_of(x) == "n3"]
            return sum(line.startswith("busybox httpd") for _, line in processes_in(old.data)) == len(here)
        wait_for("nothing of it runs", only_what_is_ready, 20)
        first.kill()  # of the two that are left both must know all
        def listed():
            text = second.ctl("get", "deployments", "-o", "json", check=False).stdout
            names = {x["metadata"]["name"] for x in json.loads(text)["items"]} if text else set()
            return {f"later-{i}" for i in range(60)} <= names and "web" in names
        wait_for("all is there without the first", listed, 40)
        check("gone" not in second.ctl("get", "deployments").stdout, "what was deleted is back")
        apply(second, "after", 1)
        ready(c, second, 1, "after")


def a_copy_from_several_starts_ago_is_admitted_anew(bin_folder):
    """Its start number is lower than what the zone has seen, not the same: the bridges hear it no more."""
    with Cluster(bin_folder, 3) as c:
        first, _, old = c.nodes
        apply(first, "web", 3)
        wait_for("three nodes keep it", lambda: kept_by_three(first), 60)
        ready(c, first, 3)
        copy = copied(old)
        for _ in range(3):
            old.start().await_up()
            wait_for("it is in the zone", lambda: " Ready " in first.ctl("get", "node", "n3").stdout, 20)
            old.kill()
        begin_from(old, copy, first)


def who_is_alone_after_all_were_killed_knows_who_is_missing(bin_folder):
    with Cluster(bin_folder, 3) as c:
        first, second, alone = c.nodes
        apply(first, "web", 3)
        wait_for("three nodes keep it", lambda: kept_by_three(first), 60)
        ready(c, first, 3)

        def remembered():
            journal = b"".join((alone.data / name).read_bytes() for name in ("journal.db", "journal.db-wal"))
            records = (part[:2000] for part in journal.split(b"\x06roster")[1:])
            return any(all(f"127.0.0.1:{n.listen}".encode() in x for n in c.nodes) for x in records)
        wait_for("the roster is on disk", remembered, 20)
        for node in c.nodes:
            node.kill()
        alone.start().await_up()

        def told():
            nodes = alone.ctl("get", "nodes", check=False).stdout
            return all(f"{n} NotReady" in " ".join(nodes.split()) for n in ("n1", "n2"))
        wait_for("the others are listed", told, 20)
        refused = alone.ctl("scale", "deployment", "web", "--replicas", "2", check=False)
        text = " ".join(refused.stderr.split())
        # Which of the two it is depends on whether the hints of who keeps what were on disk, too.
        check(refused.returncode == 3 and ("of n1, n2 and n3, n1 and n2 are down" in text or
              all(f"{n}, which was not heard since this node began" in text for n in ("n1", "n2"))), text)
        first.start().await_up()
        second.start().await_up()
        alone.ctl("scale", "deployment", "web", "--replicas", "2")


def forgetful(bin_folder, remember, forget):
    """Two of three acknowledge; then one of them and a third, whose journal was made to forget it, are left."""
    with Cluster(bin_folder) as c:
        first, second, third = c.nodes
        wait_for("three nodes keep all", lambda: (apply(first, "web", 1), kept_by_three(first))[1], 30)
        third.kill()
        saved = c.folder / "saved"
        remember(third, saved)
        third.start().await_up()
        wait_for("it is back", lambda: c.ready(second) == 3 and kept_by_three(second), 30)
        first.process.send_signal(signal.SIGSTOP)
        names = [f"x{i}" for i in range(8)]
        for name in names:
            text = manifest(name, 0)
            wait_for(f"{name} is acknowledged", lambda t=text: second.ctl("apply", "-f", "-", text_input=t, check=False).returncode == 0, 30)
        second.kill()
        third.kill()
        forget(third, saved)
        first.process.send_signal(signal.SIGCONT)
        third.start()

        def listed():
            done = first.ctl("get", "deployments", check=False)
            return done.returncode, {line.split()[0] for line in done.stdout.splitlines()[1:]}
        end = time.monotonic() + 12
        while time.monotonic() < end:  # an event that must not come
            code, found = listed()
            check(code != 0 or found >= set(names), f"acknowledged and not listed: {sorted(set(names) - found)}")
            time.sleep(0.2)
        second.start().await_up()
        wait_for("all are listed", lambda: (r := listed())[0] == 0 and r[1] >= set(names), 60)
        wait_for("who forgot is a member again", lambda: kept_by_three(first), 60)


def a_journal_put_back_from_before_its_last_start_does_not_vote(bin_folder):
    """Its count of starts is that of the life that acknowledged: only the life's own number tells them apart."""
    def remember(node, saved):
        shutil.copytree(node.data, saved, ignore=lambda _, names: [n for n in names if not n.startswith("journal.")])

    def forget(node, saved):
        for file in node.data.glob("journal.*"):
            file.unlink()
        for file in saved.iterdir():
            shutil.copy(file, node.data)
    forgetful(bin_folder, remember, forget)


def a_journal_that_lost_its_end_does_not_vote(bin_folder):
    def remember(node, saved):
        saved.write_text(str(len((node.data / "journal.db-wal").read_bytes().rstrip(b"\0"))))

    def forget(node, saved):
        log = node.data / "journal.db-wal"
        check(len(log.read_bytes().rstrip(b"\0")) > int(saved.read_text()) + 4096, "the log began anew: nothing is cut")
        os.truncate(log, int(saved.read_text()))
    forgetful(bin_folder, remember, forget)


def what_ran_is_taken_back_after_the_journal_is_destroyed(bin_folder):
    with Cluster(bin_folder) as c:
        founder, other, _ = c.nodes
        apply(founder, "web", 6)
        pods = wait_for("6 ready", lambda: exactly_named(c.ready_pods(), 6, "web"), 30)
        wait_for("three nodes keep it", lambda: kept_by_three(founder), 30)
        join = next(line.split()[-1] for line in other.ctl("describe", "node", other.name).stdout.splitlines() if "Join string" in line)
        mine = {pid_of(p) for p in pods.values() if node_of(p) == founder.name}
        founder.kill()
        (founder.data / "journal.db").write_bytes(bytes(16384))
        for file in founder.data.glob("journal.db-*"):
            file.unlink()
        refused = subprocess.run(founder.command(), capture_output=True, text=True, timeout=20)
        check(refused.returncode == 1 and "--join" in refused.stderr, "it founds another cluster: " + refused.stderr)
        founder.start("--join", join).await_up()
        wait_for("6 ready, of before", lambda: (p := exactly_named(c.ready_pods(other), 6, "web")) and
                 {pid_of(x) for x in p.values() if node_of(x) == founder.name} == mine, 30)
        check(all(alive(x) for x in mine), "what ran was ended")
        other.ctl("delete", "deployment", "web")
        wait_for("all has ended", lambda: not any(alive(x) for x in mine), 30)
        wait_for("three nodes keep what comes", lambda: (apply(other, "next", 1), kept_by_three(other, "next"))[1], 60)


tests = [two_of_three_lose_their_disks_and_the_third_raises_the_groups,
         old_members_that_return_together_stop_and_change_nothing,
         a_zone_that_lost_all_its_nodes_is_restored_from_a_backup,
         what_was_acknowledged_before_a_backup_began_is_in_it,
         a_damaged_journal_of_the_only_node_is_raised_from_its_promises,
         a_node_whose_data_folder_is_an_old_copy_is_admitted_anew,
         a_copy_from_several_starts_ago_is_admitted_anew,
         who_is_alone_after_all_were_killed_knows_who_is_missing,
         a_journal_put_back_from_before_its_last_start_does_not_vote,
         a_journal_that_lost_its_end_does_not_vote,
         what_ran_is_taken_back_after_the_journal_is_destroyed]
