"""A small application: it says who served the request and keeps rows in its database.

GET /            a page for people           GET  /rows     all rows, as JSON
GET /whoami      who serves, as JSON         POST /rows     adds one: the body is its text
GET /healthz     200 when all is well        DELETE /rows   removes all; /rows/ID one of them

Its settings are environment variables: PORT, DATABASE_URL (left out: it runs without rows), CLOUDSPACE_HOST, CLOUDSPACE_VERSION.
"""
import html
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(os.environ.get("PORT", "8080"))
DATABASE_URL = os.environ.get("DATABASE_URL")
ME = {
    "app": os.environ.get("CLOUDSPACE_APP", "hello"),
    "version": os.environ.get("CLOUDSPACE_VERSION", "-"),
    "host": os.environ.get("CLOUDSPACE_HOST", "-"),
    "container": socket.gethostname(),
}
MOST_BYTES = 10_000
# Between the signal to stop and the end: the ingress learns in less that it must ask another container.
DRAIN_SECONDS = 2

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Hello</title>
<style>body{{font:1.1em/1.6 system-ui,sans-serif;max-width:34em;margin:10vh auto;padding:0 1em;color:#223}}
code{{background:#eef;padding:.1em .4em;border-radius:.3em}}input{{font:inherit}}small{{color:#667}}</style>
<h1>Hello from your Cloudspace</h1>
<p>Served by <code>{container}</code> on <code>{host}</code>, version <code>{version}</code>. Reload, and another may answer.</p>
{rows}
</html>
"""
ROWS = """<form method="post" action="/rows"><input name="text" maxlength="200" placeholder="write something" required> <button>Keep it</button></form>
<p><small>Kept in the application's own database:</small></p><ul>{items}</ul>"""


class Pool:
    """Connections to the database that are used again. One that broke is thrown away: the database may have been restarted or restored."""

    def __init__(self, url):
        self.url = url
        self.idle = []
        self.lock = threading.Lock()

    @contextmanager
    def cursor(self):
        import psycopg2

        with self.lock:
            connection = self.idle.pop() if self.idle else None
        if connection is None:
            connection = psycopg2.connect(self.url, connect_timeout=3)
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        except BaseException:
            connection.close()
            raise
        with self.lock:
            self.idle.append(connection)

    def run(self, sql, values=(), again=True):
        """One statement in a transaction of its own; gives its rows. Tried a second time over a new connection when the old one was dead."""
        import psycopg2

        try:
            with self.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if cursor.description else []
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            with self.lock:
                stale, self.idle = self.idle, []
            for connection in stale:
                connection.close()
            if not again:
                raise
            return self.run(sql, values, again=False)


database = Pool(DATABASE_URL) if DATABASE_URL else None


def prepare():
    """Two containers start at once: the lock lets the second wait for the first one's table."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7)")
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS rows (id bigserial PRIMARY KEY, text text NOT NULL, host text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
        )


def rows():
    found = database.run("SELECT id, text, host, at FROM rows ORDER BY id DESC LIMIT 100")
    return [{"id": number, "text": text, "host": host, "at": at.isoformat()} for number, text, host, at in found]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A connection that was forgotten open ends after a while.
    timeout = 75

    def do_GET(self):
        if self.path == "/":
            self.answer(200, page(), "text/html; charset=utf-8")
        elif self.path == "/whoami":
            self.json(200, {**ME, "client": self.headers.get("X-Forwarded-For", self.client_address[0])})
        elif self.path == "/healthz":
            if database:
                database.run("SELECT 1")
            self.json(200, {"status": "ok"})
        elif self.path == "/rows" and database:
            self.json(200, rows())
        else:
            self.json(404, {"error": f"there is no {self.path} here"})

    def do_POST(self):
        body = self.body()
        if body is None:
            return
        if self.path != "/rows" or not database:
            self.json(404, {"error": f"there is no {self.path} here"})
            return
        # The page's form, or plain text, which curl calls a form all the same.
        form = body.startswith("text=") and "form" in self.headers.get("Content-Type", "")
        text = urllib.parse.parse_qs(body).get("text", [""])[0] if form else body
        if not text.strip() or "\0" in text:
            self.json(400, {"error": "the text is empty"})
            return
        [(number,)] = database.run("INSERT INTO rows (text, host) VALUES (%s, %s) RETURNING id", (text, ME["host"]))
        if form:
            self.answer(303, "", "text/plain", {"Location": "/"})
        else:
            self.json(201, {"id": number, "text": text})

    def do_DELETE(self):
        path, _, number = self.path.partition("/rows/")
        if database and self.path == "/rows":
            database.run("DELETE FROM rows")
            self.json(200, {})
        elif database and path == "" and number.isdigit() and len(number) < 18:
            gone = database.run("DELETE FROM rows WHERE id = %s RETURNING id", (int(number),))
            self.json(200 if gone else 404, {})
        else:
            self.json(404, {"error": f"there is no {self.path} here"})

    def body(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MOST_BYTES:
            # What follows is not read, so the connection cannot be used again.
            self.close_connection = True
            self.json(413 if length.isdigit() else 411, {"error": f"send at most {MOST_BYTES} bytes, with their length"})
            return None
        return self.rfile.read(int(length)).decode("utf-8", "replace")

    def json(self, status, value):
        self.answer(status, json.dumps(value) + "\n", "application/json")

    def answer(self, status, text, kind, headers=None):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Served-By", ME["host"])
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if stopping.is_set():
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, template, *values):
        if self.path != "/healthz":
            print(f"{self.headers.get('X-Forwarded-For', '-') if hasattr(self, 'headers') else '-'} {template % values}")

    def handle_one_request(self):
        self.path = "-"
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception as error:  # the database is away: say so, and go on
            print(f"{self.path}: {error}".strip(), file=sys.stderr)
            self.close_connection = True
            self.json(503, {"error": "the database does not answer"})


def page():
    if not database:
        return PAGE.format(**ME, rows="<p>It has no database: deploy it with <code>--service postgres</code>.</p>")
    items = "".join(f"<li>{html.escape(row['text'])} <small>through {html.escape(row['host'])}</small></li>" for row in rows()[:20])
    return PAGE.format(**ME, rows=ROWS.format(items=items))


stopping = threading.Event()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def check():
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=2) as answer:
        sys.exit(0 if answer.status == 200 else 1)


def main():
    if database:
        prepare()
    server = Server(("", PORT), Handler)

    def stop(*_):
        stopping.set()
        threading.Thread(target=lambda: (time.sleep(DRAIN_SECONDS), server.shutdown())).start()

    signal.signal(signal.SIGTERM, stop)
    print(f"listening on {PORT}, {'with' if database else 'without'} a database")
    server.serve_forever()
    print("stopped")


if __name__ == "__main__":
    check() if sys.argv[1:] == ["check"] else main()
