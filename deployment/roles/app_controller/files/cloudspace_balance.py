"""Spreads applications over runners that have joined since they were started: Swarm itself moves nothing that runs.

As a program, on the Swarm's manager: each application that could be on more hosts is given that many containers more, which Swarm puts on
the empty hosts, and then as many as before: Swarm takes them from the hosts with the most. Nothing is restarted, none is missing meanwhile.
"""
import subprocess
import time

# Holds the number of containers to come back to, in case this program is killed half way.
LABEL = "cloudspace.replicas"
WAIT_SECONDS = 60
# What every deployed application asks for. It leaves all runners to choose from.
ANY_RUNNER = "node.role==worker"


def crowded(services, tasks, nodes):
    """The applications that run on fewer hosts than they could, as [(name, replicas, hosts that are missing)].

    Input as Docker's API answers it. Left out: what is being updated just now, and what says itself where it wants to be.
    """
    usable = {
        node["ID"]
        for node in nodes
        if (node.get("Status") or {}).get("State") == "ready" and (node.get("Spec") or {}).get("Availability") == "active"
    }
    found = []
    for service in services:
        spec = service.get("Spec") or {}
        replicas = ((spec.get("Mode") or {}).get("Replicated") or {}).get("Replicas", 0)
        mine = [
            task
            for task in tasks
            if task.get("ServiceID") == service["ID"]
            and task.get("DesiredState") == "running"
            and (task.get("Status") or {}).get("State") == "running"
        ]
        placement = (spec.get("TaskTemplate") or {}).get("Placement") or {}
        if (
            "cloudspace.app" in (spec.get("Labels") or {})
            and (service.get("UpdateStatus") or {}).get("State") not in ("updating", "rollback_started")
            and set(placement.get("Constraints") or ()) <= {ANY_RUNNER}
            # All of them run: one that cannot start is not helped by being moved.
            and len(mine) == replicas
        ):
            missing = min(replicas, len(usable)) - len({task.get("NodeID") for task in mine})
            if missing > 0:
                found.append((spec["Name"], replicas, missing))
    return sorted(found)


def update(name, *changes):
    subprocess.run(["docker", "service", "update", "--detach", *changes, name], check=True, stdout=subprocess.DEVNULL)


def spread(swarm, name, replicas, missing):
    try:
        update(name, "--label-add", f"{LABEL}={replicas}", "--replicas", str(replicas + missing))
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            tasks = swarm.tasks(filters={"service": name, "desired-state": "running"})
            if sum(task["Status"]["State"] == "running" for task in tasks) >= replicas + missing:
                break
            time.sleep(0.5)
    finally:
        update(name, "--label-rm", LABEL, "--replicas", str(replicas))


def main():
    import docker

    swarm = docker.APIClient(base_url="unix://var/run/docker.sock", version="1.41", timeout=20)
    for service in swarm.services():
        before = (service["Spec"].get("Labels") or {}).get(LABEL, "")
        if before.isdigit():
            update(service["Spec"]["Name"], "--label-rm", LABEL, "--replicas", before)
    for name, replicas, missing in crowded(swarm.services(), swarm.tasks(), swarm.nodes()):
        spread(swarm, name, replicas, missing)
        print(name)


if __name__ == "__main__":
    main()
