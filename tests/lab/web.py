"""A Deployment of real HTTP servers, and what tests ask of it."""

import urllib.request

from cluster import wait_for


def web(replicas, name="web", extra=""):
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: {replicas}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: httpd
          image: busybox  # a warning, and no more
          command: ["/bin/sh", "-c"]
          args: ['echo "hello from $POD" > index.html; echo started $POD; exec busybox httpd -f -p "$PORT_HTTP"']
          env:
            - name: POD
              valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}
          ports: [{{name: http, containerPort: 80}}]
          resources: {{requests: {{cpu: 10m, memory: 8Mi}}}}
          readinessProbe: {{httpGet: {{path: /index.html, port: http}}, periodSeconds: 1}}
{extra}"""


def apply(node, text, *words):
    return node.ctl("apply", "-f", "-", *words, text_input=text)


def applied(cluster, replicas, name="web", node=None):
    apply(node or cluster.nodes[0], web(replicas, name), "--wait", "--timeout", "30s")
    return wait_for(f"{replicas} ready", lambda: exactly(cluster.ready_pods(node), replicas, name))


def exactly(pods, count, name="web"):
    mine = {k: v for k, v in pods.items() if k.startswith(name + "-")}
    return mine if len(mine) == count else None


def folded(text):
    """Without line breaks and the spaces around them."""
    return " ".join(text.split())


def fetch(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/index.html", timeout=5) as answer:
        return answer.read().decode()


def other_than(cluster, *nodes):
    return next(n for n in cluster.nodes if n not in nodes)
