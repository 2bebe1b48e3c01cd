"""An application for tests: says what it was asked and by which container, hashes what it gets, echoes WebSocket messages."""

import base64
import hashlib
import http.server
import json
import socket

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            return self.websocket()
        status = 404 if self.path == "/missing" else 200
        self.reply(status, {"container": socket.gethostname(), "headers": dict(self.headers.items())})

    def do_POST(self):
        digest, count, left = hashlib.sha256(), 0, int(self.headers["Content-Length"])
        while left > 0:
            data = self.rfile.read(min(left, 1 << 16))
            if not data:
                return
            digest.update(data)
            count, left = count + len(data), left - len(data)
        self.reply(200, {"bytes": count, "sha256": digest.hexdigest()})

    def websocket(self):
        accept = base64.b64encode(hashlib.sha1((self.headers["Sec-WebSocket-Key"] + MAGIC).encode()).digest()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        while len(head := self.rfile.read(2)) == 2 and head[0] & 15 == 1:
            mask = self.rfile.read(4)
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(head[1] & 127)))
            self.wfile.write(bytes([0x81, len(data)]) + data)
            self.wfile.flush()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


Server(("0.0.0.0", 8000), Handler).serve_forever()
