"""Runs under `python3 -m unittest`, started by routes.test.ts. Standard library only: the publisher's Redis and Docker are not needed."""
import json
import os
import sys
import unittest

FILES = os.path.join(os.path.dirname(__file__), "../../deployment/roles/app_controller/files")
sys.path.insert(0, os.path.abspath(FILES))
sys.dont_write_bytecode = True
import cloudspace_balance  # noqa: E402
import cloudspace_routes  # noqa: E402


def node(number, state="ready"):
    return {
        "ID": f"node{number}",
        "Description": {"Hostname": f"runner-{number}"},
        "Spec": {"Availability": "active"},
        "Status": {"State": state, "Addr": f"10.7.128.{number}"},
    }


def service(name, created="2026-11-22T10:00:00Z", replicas=2, **labels):
    named = {"app": name, "domain": f"{name}.example.org", "port": "8080", "version": "1", **labels}
    return {
        "ID": f"service-{name}",
        "CreatedAt": created,
        "Spec": {
            "Name": name,
            "Labels": {f"cloudspace.{label}": value for label, value in named.items() if value is not None},
            "Mode": {"Replicated": {"Replicas": replicas}},
        },
    }


def task(number, app, on=1, port=32768, state="running", desired="running", target=8080, mode="host"):
    ports = [{"Protocol": "tcp", "TargetPort": target, "PublishedPort": port, "PublishMode": mode}]
    return {
        "ID": f"task{number}",
        "ServiceID": f"service-{app}",
        "NodeID": f"node{on}",
        "DesiredState": desired,
        "Status": {"State": state, "ContainerStatus": {"ContainerID": f"c{number}"}, "PortStatus": {"Ports": ports}},
    }


def keys_of(services, tasks=(), nodes=(node(1), node(2))):
    return {key: json.loads(value) for key, value in cloudspace_routes.keys_of(services, list(tasks), list(nodes)).items()}


class Routes(unittest.TestCase):
    def test_containers_become_backends(self):
        keys = keys_of([service("hello")], [task(1, "hello"), task(2, "hello", on=2, port=32801)])
        self.assertEqual(
            keys["route:hello.example.org"],
            {"app": "hello", "http": "redirect", "version": "1", "backends": ["10.7.128.1:32768", "10.7.128.2:32801"]},
        )
        self.assertEqual(keys["app:hello"]["replicas"], 2)
        self.assertEqual(
            keys["app:hello"]["tasks"][1],
            {"id": "task2", "host": "runner-2", "container": "c2", "address": "10.7.128.2:32801", "state": "running"},
        )

    def test_a_container_that_is_not_healthy_yet_or_is_to_end_gets_no_requests(self):
        tasks = [
            task(1, "hello", state="starting"),
            task(2, "hello", desired="shutdown"),
            task(3, "hello", state="failed"),
            {"ID": "task4", "ServiceID": "service-hello", "DesiredState": "running", "Status": {"State": "pending"}},
        ]
        keys = keys_of([service("hello")], tasks)
        self.assertEqual(keys["route:hello.example.org"]["backends"], [])
        self.assertEqual({one["state"] for one in keys["app:hello"]["tasks"]}, {"starting", "failed", "pending"})

    def test_a_host_that_is_down_gets_no_requests_but_one_the_manager_has_not_heard_of_since_its_start_does(self):
        tasks = [task(1, "hello"), task(2, "hello", on=2)]
        down = keys_of([service("hello")], tasks, [node(1), node(2, "down")])
        self.assertEqual(down["route:hello.example.org"]["backends"], ["10.7.128.1:32768"])
        self.assertEqual(down["app:hello"]["tasks"][1]["state"], "unreachable")
        unknown = keys_of([service("hello")], tasks, [node(1), node(2, "unknown")])
        self.assertEqual(len(unknown["route:hello.example.org"]["backends"]), 2)
        gone = keys_of([service("hello")], tasks, [node(1)])
        self.assertEqual(gone["route:hello.example.org"]["backends"], ["10.7.128.1:32768"])

    def test_only_the_labelled_port_in_host_mode_counts(self):
        tasks = [task(1, "hello", target=9090), task(2, "hello", mode="ingress")]
        self.assertEqual(keys_of([service("hello")], tasks)["route:hello.example.org"]["backends"], [])

    def test_the_older_service_keeps_a_domain(self):
        young = service("young", "2026-11-22T10:00:00.52Z", domain="shop.example.org,young.example.org")
        old = service("old", "2026-11-22T10:00:00.5Z", domain="shop.example.org")
        for order in ([young, old], [old, young]):
            keys = keys_of(order)
            self.assertEqual(keys["route:shop.example.org"]["app"], "old")
            self.assertEqual(keys["conflict:shop.example.org"], {"app": "old", "refused": ["young"]})
            self.assertEqual(keys["app:young"]["domains"], ["young.example.org"])
        self.assertEqual(keys_of([young])["route:shop.example.org"]["app"], "young")

    def test_domains_are_cleaned_and_nonsense_is_left_out(self):
        keys = keys_of([service("hello", domain="A.example.org., b.example.org,,a.example.org,../x,-y.org,*,a b")])
        self.assertEqual(keys["app:hello"]["domains"], ["a.example.org", "b.example.org"])
        self.assertEqual(sorted(key for key in keys if key.startswith("route:")), ["route:a.example.org", "route:b.example.org"])

    def test_services_that_are_none_of_ours_are_left_alone(self):
        for one in (
            service("hello", app=None),
            service("hello", app="Not:An:App"),
            service("hello", port="http"),
            service("hello", port=None),
            {"ID": "x", "CreatedAt": "", "Spec": {"Name": "x"}},
        ):
            self.assertEqual(keys_of([one]), {})

    def test_http_is_served_only_where_that_is_said(self):
        for label, expected in (("serve", "serve"), ("redirect", "redirect"), ("nonsense", "redirect"), (None, "redirect")):
            self.assertEqual(keys_of([service("hello", http=label)])["route:hello.example.org"]["http"], expected)

    def test_the_same_swarm_in_another_order_is_the_same_text(self):
        services = [service("a"), service("b")]
        tasks = [task(1, "a"), task(2, "b", on=2), task(3, "a", on=2, port=40000)]
        once = cloudspace_routes.keys_of(services, tasks, [node(1), node(2)])
        again = cloudspace_routes.keys_of(services[::-1], tasks[::-1], [node(2), node(1)])
        self.assertEqual(once, again)

    def test_a_thousand_containers_are_no_trouble(self):
        services = [service(f"app{number}") for number in range(100)]
        tasks = [task(number, f"app{number % 100}", on=number % 20, port=32768 + number) for number in range(1000)]
        keys = keys_of(services, tasks, [node(number) for number in range(20)])
        self.assertEqual(sum(len(keys[f"route:app{number}.example.org"]["backends"]) for number in range(100)), 1000)


    def test_a_published_port_for_https_is_passed_on(self):
        one = service("hello", **{"https-port": "31443"})
        self.assertEqual(keys_of([one], [task(1, "hello")])["route:hello.example.org"]["https_port"], 31443)
        for port in ("443", "0", "70000", "x", "-1"):
            route = keys_of([service("hello", **{"https-port": port})])["route:hello.example.org"]
            self.assertNotIn("https_port", route)


    def test_a_port_that_docker_forgot_is_still_the_containers(self):
        tasks, ports = cloudspace_routes.with_ports([task(1, "hello"), task(2, "hello", on=2, port=32801)], {})
        self.assertEqual(sorted(ports), ["c1", "c2"])
        # As an agent reports a container with a health check after its manager was away.
        again = [task(1, "hello"), task(2, "hello", on=2)]
        again[0]["Status"] = {"State": "running", "ContainerStatus": {"ContainerID": "c1", "ExitCode": -1}, "PortStatus": {}}
        self.assertEqual(keys_of([service("hello")], again)["route:hello.example.org"]["backends"], ["10.7.128.2:32768"])
        filled, ports = cloudspace_routes.with_ports(again, json.loads(json.dumps(ports)))
        route = keys_of([service("hello")], filled)["route:hello.example.org"]
        self.assertEqual(route["backends"], ["10.7.128.1:32768", "10.7.128.2:32768"])
        self.assertEqual(again[0]["Status"]["PortStatus"], {})
        # Another container is another port, and what is gone is forgotten.
        again[0]["Status"]["ContainerStatus"]["ContainerID"] = "c3"
        filled, ports = cloudspace_routes.with_ports(again[:1], ports)
        self.assertEqual((filled, ports), (again[:1], {}))


class Balance(unittest.TestCase):
    def crowded(self, one, tasks, nodes=(node(1), node(2))):
        return cloudspace_balance.crowded([one], tasks, list(nodes))

    def test_an_application_on_one_of_two_runners_is_spread(self):
        both = [task(1, "hello"), task(2, "hello")]
        self.assertEqual(self.crowded(service("hello"), both), [("hello", 2, 1)])
        self.assertEqual(self.crowded(service("hello"), [task(1, "hello"), task(2, "hello", on=2)]), [])
        # As `cloudspace deploy` makes them: kept off the manager, which leaves all runners.
        deployed = service("hello")
        deployed["Spec"]["TaskTemplate"] = {"Placement": {"Constraints": ["node.role==worker"]}}
        self.assertEqual(self.crowded(deployed, both), [("hello", 2, 1)])

    def test_what_cannot_or_should_not_be_moved_stays(self):
        both = [task(1, "hello"), task(2, "hello")]
        self.assertEqual(self.crowded(service("hello", replicas=1), both[:1]), [])
        self.assertEqual(self.crowded(service("hello"), both, [node(1), node(2, "down")]), [])
        drained = {**node(2), "Spec": {"Availability": "drain"}}
        self.assertEqual(self.crowded(service("hello"), both, [node(1), drained]), [])
        self.assertEqual(self.crowded(service("hello"), [task(1, "hello"), task(2, "hello", state="starting")]), [])
        self.assertEqual(self.crowded({**service("hello"), "UpdateStatus": {"State": "updating"}}, both), [])
        self.assertEqual(self.crowded(service("other", app=None), [task(1, "other"), task(2, "other")]), [])
        placed = service("hello")
        placed["Spec"]["TaskTemplate"] = {"Placement": {"Constraints": ["node.labels.host==runner-1"]}}
        self.assertEqual(self.crowded(placed, both), [])


if __name__ == "__main__":
    unittest.main()
