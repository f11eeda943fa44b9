"""Lists that fill many frames: whole, through every node."""

import json

from cluster import Cluster, check, wait_for


def manifest(name, padding, replicas=0):
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  replicas: {replicas}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: main
          command: [/bin/sleep, "100000"]
          env: [{{name: PADDING, value: "{'x' * padding}"}}]
          resources: {{requests: {{cpu: 1m, memory: 1Mi}}}}
"""


def lists_are_whole_through_every_node(bin_folder):
    with Cluster(bin_folder) as c:
        asked = c.nodes[0]
        for begin in range(0, 1000, 100):
            names = [f"k{i}" for i in range(begin, begin + 100)]
            asked.ctl("apply", "-f", "-", text_input="\n---\n".join(manifest(n, 1500) for n in names))
        for i in range(4):  # one answer each, near what a frame carries
            asked.ctl("apply", "-f", "-", text_input=manifest(f"large{i}", 400_000))
        for node in c.nodes:
            rows = node.ctl("get", "deployments", "--no-headers").stdout.splitlines()
            check(len(rows) == 1004, f"{node.name} lists {len(rows)} of 1004")
            found = json.loads(node.ctl("get", "deployments", "-l", "app=k7", "-o", "json").stdout)
            check([x["metadata"]["name"] for x in found["items"]] == ["k7"], str(found)[:200])
        refused = asked.ctl("apply", "-f", "-", text_input=manifest("larger", 600_000), check=False)
        check(refused.returncode == 1 and "deployment default/larger takes" in refused.stderr, refused.stderr)


def a_deployment_of_ten_thousand_is_shown_by_every_node(bin_folder):
    with Cluster(bin_folder) as c:
        asked = c.nodes[0]
        asked.ctl("apply", "-f", "-", text_input=manifest("many", 10))
        asked.ctl("scale", "deployment", "many", "--replicas", "10000")

        def shown(node):
            words = node.ctl("get", "deployment", "many", "--no-headers", check=False).stdout.split()
            return words[:1] == ["many"] and words[1].endswith("/10000") and not words[1].startswith("0/")
        for node in c.nodes:
            wait_for(f"{node.name} shows it", lambda node=node: shown(node), 30)
            wait_for(f"{node.name} lists all of its pods", lambda node=node: len(set(
                node.ctl("get", "pods", "--no-headers", check=False).stdout.splitlines())) >= 10000, 30)
        asked.ctl("scale", "deployment", "many", "--replicas", "9999")  # less than it has takes no room
        asked.ctl("scale", "deployment", "many", "--replicas", "0")


tests = [lists_are_whole_through_every_node, a_deployment_of_ten_thousand_is_shown_by_every_node]
