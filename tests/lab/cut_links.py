"""Links that are cut, between real processes in network namespaces: what is exclusive, what is kept, what goes on."""

import time

import exclusive
from cluster import alive, check, is_ready, keeper_of, node_of, pid_of, wait_for
from network import FarCluster, Network
from writer import Writer, check_all_there, idle


def mine(pods, name="web"):
    return {k: p for k, p in pods.items() if k.startswith(name + "-")}


def replicas(cluster, node, count):
    ready = {k: p for k, p in mine(cluster.pods(node)).items() if is_ready(p)}
    return ready if len(ready) == count else None


def kept_by_three(cluster, node, name="web"):
    return "3 of 3 are up" in node.ctl("describe", "deployment", name, check=False).stdout


def a_cut_link_does_not_leave_two_exclusive_replicas(bin_folder):
    with Network(3) as net, FarCluster(bin_folder, net) as c:
        journal, keeper, victim, name, pid = exclusive.begin(c)
        c.nodes[0].ctl("apply", "-f", "-", text_input=idle())
        pods = wait_for("3 ready", lambda: replicas(c, keeper, 3))
        wait_for("three nodes keep it", lambda: kept_by_three(c, keeper, "one"), 30)
        common = {k: pid_of(p) for k, p in pods.items() if node_of(p) == victim.name}
        check(common, "the victim runs nothing that is not exclusive")
        net.isolate(victim.index)
        cut = time.monotonic()
        wait_for("its lease is over", lambda: not alive(pid), exclusive.LEASE + 1)
        lasted = time.monotonic() - cut
        check(lasted > exclusive.LEASE / 2, f"it lost its lease after {lasted:.1f} s")
        exclusive.replaced(c, keeper, name)
        ran_after = time.monotonic() - cut
        wait_for("what else it ran is replaced", lambda: (p := replicas(c, keeper, 3)) and not common.keys() & p.keys())
        check(all(alive(p) for p in common.values()), "what is not exclusive did not go on where it was cut off")
        net.heal()
        healed = time.monotonic()
        wait_for("the replaced replicas have ended", lambda: not any(alive(p) for p in common.values()), 10)
        print(f"    it ended {lasted:.1f} s after the cut; another ran after {ran_after:.1f} s; replaced ones ended "
              f"{time.monotonic() - healed:.1f} s after it was healed")
        end = time.monotonic() + 5
        wait_for("5 s have passed", lambda: time.monotonic() > end)
        exclusive.check_never_two(journal, 2)
        check(len(exclusive.lives(journal)) == 2, "the node that was cut off began it again")
        check(replicas(c, keeper, 3), "not three replicas in the end")


def a_leader_that_is_cut_off_is_replaced_and_nothing_acknowledged_is_lost(bin_folder):
    with Network(3) as net, FarCluster(bin_folder, net) as c:
        c.nodes[0].ctl("apply", "-f", "-", text_input=idle())
        pods = wait_for("3 ready", lambda: replicas(c, c.nodes[0], 3))
        wait_for("three nodes keep it", lambda: kept_by_three(c, c.nodes[0]), 30)
        leader = keeper_of(c)
        other = next(n for n in c.nodes if n is not leader)
        running = [pid_of(p) for p in pods.values()]
        with Writer("far", leader) as far, Writer("near", other) as near:
            near.wait_for_more()
            far.wait_for_more()
            net.isolate(leader.index)
            cut = time.monotonic()
            back = near.wait_for_more(seconds=40)
            wait_for("web has another leader", lambda: keeper_of(c, at=other) is not leader)
            other.ctl("scale", "deployment", "web", "--replicas", "4")
            wait_for("4 ready on this side", lambda: replicas(c, other, 4), 30)
            check(all(alive(p) for p in running), "a replica ended because of the cut")
            late = [n for n, when in far.acknowledged if when > cut + 5]
            check(not late, f"who reaches nobody acknowledged {late}")
            refused = leader.ctl("scale", "deployment", "web", "--replicas", "9", check=False)
            check(refused.returncode in (3, 4), f"exit {refused.returncode}: {refused.stdout}{refused.stderr}")
            net.heal()
            healed = time.monotonic()
            far.wait_for_more(seconds=30)
            again = time.monotonic() - healed
        wait_for("4 replicas, on all nodes", lambda: replicas(c, leader, 4), 30)
        wait_for("what was replaced has ended", lambda: sum(alive(p) for p in running)
                 == len({pid_of(p) for p in replicas(c, other, 4).values()} & set(running)), 10)
        count = check_all_there(c, far, near)
        print(f"    {count} writes acknowledged, all there; a write {back:.1f} s after the cut, through the healed node "
              f"{again:.1f} s after it was healed")


def pulled_and_half_cut_links_lose_nothing(bin_folder):
    with Network(3) as net, FarCluster(bin_folder, net) as c:
        c.nodes[0].ctl("apply", "-f", "-", text_input=idle(replicas=0))
        wait_for("three nodes keep it", lambda: kept_by_three(c, c.nodes[0]), 30)
        with Writer("w", c.nodes[0]) as writer:
            net.pull(2)
            pulled = writer.wait_for_more(seconds=40)
            net.heal()
            wait_for("three nodes keep it", lambda: kept_by_three(c, c.nodes[0]), 30)
            net.cut(0, 1)  # both reach the third
            half = writer.wait_for_more(seconds=60)
            net.heal()
            wait_for("three nodes keep it", lambda: kept_by_three(c, c.nodes[0]), 30)
        wait_for("all see three", lambda: all(c.ready(n) == 3 for n in c.nodes), 30)
        count = check_all_there(c, writer)
        print(f"    {count} writes, all there; {pulled:.1f} s after a link was pulled, {half:.1f} s after two of three were parted")


tests = [a_cut_link_does_not_leave_two_exclusive_replicas,
         a_leader_that_is_cut_off_is_replaced_and_nothing_acknowledged_is_lost,
         pulled_and_half_cut_links_lose_nothing]
