"""Runs the controller's cloudspace-certificate with its folders below another one, and with a Redis without TLS: runCertificate.py BASE PORT WORD..."""
import importlib.machinery
import importlib.util
import os
import sys

import redis

base, port = sys.argv[1], int(sys.argv[2])
files = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../deployment/roles/app_controller/files")
sys.path.insert(0, files)
import cloudspace_store  # noqa: E402

cloudspace_store.DOMAINS = f"{base}/domains"
cloudspace_store.certificates.__defaults__ = (cloudspace_store.DOMAINS,)
cloudspace_store.AUTHORITY = f"{base}/ca.crt"
cloudspace_store.connect = lambda: redis.Redis(host="127.0.0.1", port=port, decode_responses=True)
loader = importlib.machinery.SourceFileLoader("certificate", f"{files}/cloudspace-certificate")
program = importlib.util.module_from_spec(importlib.util.spec_from_loader("certificate", loader))
loader.exec_module(program)
run = program.subprocess.run
# Only the path of the program that signs differs: it has the authority's folder written into it.
program.subprocess.run = lambda words, **more: run([w.replace("/usr/local/sbin/cloudspace-sign", f"{base}/cloudspace-sign") for w in words], **more)
sys.exit(program.main(sys.argv[3:]))
