"""From the Swarm's services, tasks and nodes to the keys of the route store. Pure: nothing is asked, nothing is written.

The input is what Docker's API answers (GET /services, /tasks, /nodes; version 1.41). The output maps a key to its JSON text:

route:<domain>     {"app", "http": "redirect"|"serve", "version", "backends": ["<address>:<port>", ...]}, and "https_port" where it is not 443
app:<app>          {"domains", "http", "version", "replicas", "update", "tasks": [{"id", "host", "container", "address", "state"}, ...]}
conflict:<domain>  {"app": who has it, "refused": [who wants it too, ...]}
"""
import json
import re

APP = re.compile(r"[a-z][a-z0-9-]{0,30}\Z")
DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")

# A manager that has just started does not know its nodes' state for some seconds; their containers run on.
USABLE_NODE_STATES = ("ready", "unknown")


def keys_of(services, tasks, nodes):
    """The route store's keys, as {key: JSON text}. Services without (good) labels are none of ours."""
    nodes_by_id = {node["ID"]: node for node in nodes}
    tasks_by_service = {}
    for task in tasks:
        if task.get("DesiredState") == "running":
            tasks_by_service.setdefault(task.get("ServiceID"), []).append(task)
    keys, owners, refused = {}, {}, {}
    # Of two that want a domain the older one has it, whatever the order of the answer.
    for service in sorted(services, key=lambda one: (_instant(one.get("CreatedAt", "")), one["ID"])):
        labels = service.get("Spec", {}).get("Labels") or {}
        app = labels.get("cloudspace.app", "")
        port = labels.get("cloudspace.port", "")
        if not APP.match(app) or not port.isdigit() or f"app:{app}" in keys:
            continue
        described = sorted(
            (_describe(task, nodes_by_id, int(port)) for task in tasks_by_service.get(service["ID"], [])),
            key=lambda task: (task["host"], task["id"]),
        )
        domains = []
        for domain in _domains(labels.get("cloudspace.domain", "")):
            if domain in owners:
                refused.setdefault(domain, []).append(app)
            else:
                owners[domain] = app
                domains.append(domain)
        http = "serve" if labels.get("cloudspace.http") == "serve" else "redirect"
        version = labels.get("cloudspace.version", "")
        backends = sorted({task["address"] for task in described if task["address"]})
        route = {"app": app, "http": http, "version": version, "backends": backends}
        https_port = labels.get("cloudspace.https-port", "")
        if https_port.isdigit() and 0 < int(https_port) < 65536 and int(https_port) != 443:
            route["https_port"] = int(https_port)
        for domain in domains:
            keys[f"route:{domain}"] = _json(route)
        replicas = (service["Spec"].get("Mode", {}).get("Replicated") or {}).get("Replicas", len(described))
        update = (service.get("UpdateStatus") or {}).get("State", "")
        keys[f"app:{app}"] = _json(
            {"domains": domains, "http": http, "version": version, "replicas": replicas, "update": update, "tasks": described}
        )
    for domain, apps in refused.items():
        keys[f"conflict:{domain}"] = _json({"app": owners[domain], "refused": apps})
    return keys


def with_ports(tasks, known):
    """Tasks with the published ports of their containers, and what is to be remembered: {container: ports as Docker's API has them}.

    Docker (20.10) forgets the ports of a container with a health check when its manager was away for a moment: the agent then reports it as
    running, without any. A container's ports never change, so those it had before are its ports.
    """
    filled, ports = [], {}
    for task in tasks:
        status = task.get("Status") or {}
        container = (status.get("ContainerStatus") or {}).get("ContainerID", "")
        own = (status.get("PortStatus") or {}).get("Ports") or []
        if not own and container in known:
            own = known[container]
            task = {**task, "Status": {**status, "PortStatus": {"Ports": own}}}
        if own and container:
            ports[container] = own
        filled.append(task)
    return filled, ports


def _describe(task, nodes_by_id, port):
    """One container: `address` is empty unless requests may go there. Swarm calls a task running once its health check, if any, has passed."""
    status = task.get("Status") or {}
    node = nodes_by_id.get(task.get("NodeID"), {})
    state = status.get("State", "new")
    node_state = (node.get("Status") or {}).get("State")
    if state == "running" and node_state not in USABLE_NODE_STATES:
        state = "unreachable"
    address = (node.get("Status") or {}).get("Addr", "")
    published = next(
        (
            one["PublishedPort"]
            for one in (status.get("PortStatus") or {}).get("Ports") or []
            if one.get("TargetPort") == port and one.get("PublishMode") == "host" and one.get("Protocol") == "tcp"
        ),
        None,
    )
    return {
        "id": task["ID"],
        "host": (node.get("Description") or {}).get("Hostname", ""),
        "container": (status.get("ContainerStatus") or {}).get("ContainerID", ""),
        "address": f"{address}:{published}" if state == "running" and address and published else "",
        "state": state,
    }


def _domains(label):
    """The good ones of a comma-separated list, each once, in small letters."""
    names = (name.strip().lower().rstrip(".") for name in label.split(","))
    return list(dict.fromkeys(name for name in names if DOMAIN.match(name)))


def _instant(text):
    """A time that sorts: Docker leaves zeros at the end of a fraction out, and 0.5Z would come after 0.52Z."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return (whole, fraction.ljust(9, "0"))


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
