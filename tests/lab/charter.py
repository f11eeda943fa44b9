"""The charter, in earnest: who is a member, though most of its voters are down, or their disks are gone."""

import json
import subprocess

from cluster import Cluster, check, drained, wait_for
from recovery import lose


tests = []


def test(function):
    tests.append(function)
    return function


def charter(node, line):
    """One line of `legionctl charter`, without its word."""
    text = node.ctl("charter", check=False).stdout
    return next((" ".join(l.split(":", 1)[1].split()) for l in text.splitlines() if l.startswith(line + ":")), "")


def cordoned(node, name):
    listed = json.loads(node.ctl("get", "node", name, "-o", "json").stdout)
    return listed.get("spec", {}).get("unschedulable", False)


def voters_are(node, count):
    return f"{count} of {count} are up" in charter(node, "Quorum")


@test
def a_node_that_is_down_is_cordoned_and_obeys_when_it_returns(bin_folder):
    with Cluster(bin_folder) as c:
        wait_for("three voters", lambda: voters_are(c.nodes[0], 3), 30)
        c.nodes[0].ctl("cordon", c.nodes[1].name)
        check(cordoned(c.nodes[1], c.nodes[1].name), "it was said to be cordoned, and is not")
        c.nodes[2].ctl("uncordon", c.nodes[1].name)
        c.nodes[2].kill()
        wait_for("it is seen to be down", lambda: "NotReady" in c.nodes[0].ctl("get", "nodes").stdout, 20)
        said = c.nodes[0].ctl("cordon", c.nodes[2].name)
        check("obeys once it is back" in said.stdout + said.stderr, "nothing is said of its being down: " + said.stdout + said.stderr)
        check(cordoned(c.nodes[0], c.nodes[2].name), "a node that is down is not shown cordoned")
        c.nodes[2].start().await_up()
        wait_for("it obeys", lambda: cordoned(c.nodes[2], c.nodes[2].name), 20)


@test
def who_drained_and_is_back_votes_again(bin_folder):
    with Cluster(bin_folder) as c:
        wait_for("three voters", lambda: voters_are(c.nodes[0], 3), 30)
        for node in (c.nodes[1], c.nodes[2], c.nodes[0]):
            said = drained(c, node)
            check("note:" not in said, f"{node.name} could not hand over: {said}")
            node.start().await_up()
            for other in c.nodes:
                wait_for(f"three voters, as {other.name} says, after {node.name} was drained", lambda n=other: voters_are(n, 3), 30)
        c.nodes[0].kill()
        c.nodes[1].ctl("cordon", c.nodes[2].name)


@test
def a_node_whose_first_start_failed_founds_no_second_charter(bin_folder):
    c = Cluster(bin_folder, 4)
    slipped = c.nodes.pop()
    with c:
        wait_for("three voters", lambda: voters_are(c.nodes[0], 3), 30)
        listen, slipped.listen = slipped.listen, c.nodes[0].listen
        refused = subprocess.run(slipped.command(), capture_output=True, text=True, timeout=20)  # and --join is forgotten
        check(refused.returncode == 1, f"a taken port: exit {refused.returncode}: {refused.stderr}")
        slipped.listen = listen
        c.nodes.append(slipped)
        slipped.start().await_up()
        for node in c.nodes:
            wait_for(f"four nodes, as {node.name} says", lambda n=node: charter(n, "Roster").startswith("4 nodes"), 30)
        leaders = {charter(n, "Leader") for n in c.nodes}
        check(len(leaders) == 1, f"two charters: {leaders}")
        check("alarm" not in slipped.log.read_text(), "alarms at the newcomer")


@test
def without_a_quorum_of_the_charter_a_new_node_waits_and_says_why(bin_folder):
    c = Cluster(bin_folder, 4)
    newcomer = c.nodes.pop()
    with c:
        wait_for("three voters", lambda: voters_are(c.nodes[0], 3), 30)
        asked, *others = c.nodes
        for node in others:
            node.kill()
        wait_for("the quorum is gone", lambda: charter(asked, "Quorum").startswith("NO"), 30)
        c.nodes.append(newcomer)
        newcomer.start()
        why = wait_for("it says why it waits", lambda: (d := newcomer.ctl("get", "nodes", check=False))
                       and "has no quorum" in " ".join((d.stdout + d.stderr).split()) and d.stdout + d.stderr, 40)
        check("are down" in " ".join(why.split()), "it does not say who is down: " + why)
        others[0].start().await_up()
        wait_for("it is let in", lambda: charter(newcomer, "Roster").startswith("4 nodes"), 60)


@test
def a_charter_whose_voters_lost_their_disks_is_rebuilt_from_one_journal(bin_folder):
    with Cluster(bin_folder) as c:
        wait_for("three voters", lambda: voters_are(c.nodes[0], 3), 30)
        survivor, *others = c.nodes
        survivor.ctl("cordon", others[0].name)
        refused = survivor.ctl("charter", "rebuild", check=False)
        check(refused.returncode == 1 and "has a quorum" in refused.stderr, "a living charter was rebuilt: " + refused.stdout + refused.stderr)
        for node in others:
            lose(node)
        wait_for("the quorum is gone", lambda: charter(survivor, "Quorum").startswith("NO"), 30)
        refused = survivor.ctl("charter", "rebuild", check=False)
        check(refused.returncode == 1 and "--force" in refused.stderr, "voters that may come back were given up: " + refused.stdout + refused.stderr)
        said = survivor.ctl("charter", "rebuild", "--force")
        check("may be missing" in " ".join((said.stdout + said.stderr).split()), "nothing is said of what may be missing: " + said.stdout + said.stderr)
        wait_for("one voter decides", lambda: "one node decides" in charter(survivor, "Quorum"), 20)
        check(cordoned(survivor, others[0].name), "the roster of before is lost")
        for node in others:
            node.start()
        wait_for("three voters again", lambda: voters_are(survivor, 3), 60)
