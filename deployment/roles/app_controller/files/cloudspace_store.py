"""The route store: Redis on this host, with TLS and a password. What it holds is described in cloudspace_routes.py.

Besides, `certificate:<domain>` is {"key", "crt"} (PEM), the sets `routes`, `apps` and `conflicts` hold the names, and every domain
whose route or certificate changes is published on the channel `routes`.
"""
import json
import os

import redis

AUTHORITY = "/etc/cloudspace/ca.crt"
DOMAINS = "/etc/cloudspace/tls/domains"
CHANNEL = "routes"
PREFIXES = {"route": "routes", "app": "apps", "conflict": "conflicts"}

# Says whose keys these are. When it is not there, or another's, the keys have to be written again.
WRITER = "routes:publisher"
WRITER_SECONDS = 120


def connect(password_file="/etc/cloudspace/redis-password"):
    with open(password_file, encoding="ascii") as file:
        password = file.read().strip()
    return redis.Redis(
        host="127.0.0.1",
        port=6379,
        password=password,
        ssl=True,
        ssl_ca_certs=AUTHORITY,
        ssl_cert_reqs="required",
        # The certificate names the host, not the loopback address; the authority signs nothing but this Cloudspace's own.
        ssl_check_hostname=False,
        socket_timeout=5,
        socket_connect_timeout=2,
        decode_responses=True,
    )


def certificates(folder=DOMAINS):
    """The domains' certificates on this host's disk, as keys of the store. Half a pair is left out."""
    keys = {}
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return keys
    for name in names:
        if not name.endswith(".crt"):
            continue
        domain = name[: -len(".crt")]
        try:
            with open(f"{folder}/{domain}.key", encoding="ascii") as key, open(f"{folder}/{name}", encoding="ascii") as crt:
                pair = {"key": key.read(), "crt": crt.read()}
        except FileNotFoundError:
            continue
        keys[f"certificate:{domain}"] = json.dumps(pair, sort_keys=True)
    return keys


def stored(store):
    """What the store holds of routes, applications, conflicts and certificates: {key: text}."""
    found = [key for prefix in (*PREFIXES, "certificate") for key in store.scan_iter(match=f"{prefix}:*", count=1000)]
    values = store.mget(found) if found else []
    return {key: value for key, value in zip(found, values) if value is not None}


def write(store, before, after, writer):
    """Makes the store hold `after` where it held `before`, in one transaction. Gives the keys that changed.

    Certificates are added and replaced only: another program may have put some there.
    """
    changed = sorted(key for key, value in after.items() if before.get(key) != value)
    gone = sorted(key for key in before if key not in after and not key.startswith("certificate:"))
    with store.pipeline(transaction=True) as pipeline:
        for key in changed:
            pipeline.set(key, after[key])
        for key in gone:
            pipeline.delete(key)
        for prefix, members in PREFIXES.items():
            names = [key.partition(":")[2] for key in after if key.startswith(f"{prefix}:")]
            pipeline.delete(members)
            if names:
                pipeline.sadd(members, *names)
        pipeline.set(WRITER, writer, ex=WRITER_SECONDS)
        for key in changed + gone:
            prefix, _, domain = key.partition(":")
            if prefix in ("route", "certificate"):
                pipeline.publish(CHANNEL, domain)
        pipeline.execute()
    return changed + gone
