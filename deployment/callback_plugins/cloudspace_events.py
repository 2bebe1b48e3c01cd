# Reports what a playbook does, one JSON object a line, to the file descriptor named by CLOUDSPACE_EVENTS_FD.
# Without that variable it does nothing. Results arrive here already censored where a task says no_log.
import json
import os
import signal
import threading
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: cloudspace_events
    type: notification
    short_description: one JSON line an event, for the cloudspace command
    description:
      - Writes the start and result of every task, each play and the final statistics to a file descriptor.
"""

MESSAGE_LIMIT = 2000


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "cloudspace_events"

    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()
        self._plays = []
        self._expected = None
        self._handlers = set()
        try:
            self._fd = int(os.environ["CLOUDSPACE_EVENTS_FD"])
            # The ssh processes that stay behind to share a connection must not keep the channel open.
            os.set_inheritable(self._fd, False)
        except (KeyError, ValueError, OSError):
            self.disabled = True
            return
        threading.Thread(target=self._end_with_reader, daemon=True).start()

    def _end_with_reader(self):
        """The reader never writes: an end of file means that it is gone, killed perhaps. Then this run ends too."""
        try:
            while os.read(self._fd, 1):
                pass
        except ConnectionResetError:
            pass  # gone with lines unread
        except OSError:
            return  # a channel that can only be written
        group = os.getpgrp()
        if group != os.getpid():
            return  # not started as a group of our own: others would be hit
        for number, patience in ((signal.SIGINT, 10), (signal.SIGTERM, 5), (signal.SIGKILL, 0)):
            os.killpg(group, number)
            time.sleep(patience)

    def _send(self, **event):
        line = (json.dumps(event) + "\n").encode()
        with self._lock:
            while line:
                try:
                    line = line[os.write(self._fd, line):]
                except (BrokenPipeError, ConnectionResetError):
                    return

    # How much there is to do

    def v2_playbook_on_start(self, playbook):
        self._plays = playbook.get_plays()

    def v2_playbook_on_play_start(self, play):
        if self._expected is None:
            self._expected = self._count(play.get_variable_manager()._inventory)
            self._send(event="start", of=self._expected)
        self._send(event="play", name=play.get_name())

    def _count(self, inventory):
        """Tasks times hosts, as far as the plays say so; included files are found out later."""
        total = 0
        for play in self._plays:
            try:
                hosts = len(inventory.get_hosts(play.hosts))
                tasks = sum(_tasks(block) for block in play.copy().compile())
                total += hosts * (tasks + (1 if play.gather_facts is not False else 0))
            except Exception:  # a templated host pattern, for example: the total is a hint only
                continue
        return total

    # Tasks

    def v2_playbook_on_handler_task_start(self, task):
        self._handlers.add(task._uuid)

    def v2_runner_on_start(self, host, task):
        if task.action not in ("meta", "ansible.builtin.meta"):
            self._send(event="task", host=host.get_name(), task=task.get_name().strip(), status="started")

    def v2_runner_on_ok(self, result):
        self._result(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_skipped(self, result):
        self._result(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result(result, "ok" if ignore_errors else "failed", _message(result._result))

    def v2_runner_on_unreachable(self, result):
        self._result(result, "unreachable", _message(result._result))

    def _result(self, result, status, message=None):
        event = {
            "event": "task",
            "host": result._host.get_name(),
            "task": result._task.get_name().strip(),
            "status": status,
            "extra": result._task._uuid in self._handlers,
        }
        if message:
            event["message"] = message
        self._send(**event)

    def v2_playbook_on_stats(self, stats):
        self._send(event="stats", hosts={host: stats.summarize(host) for host in sorted(stats.processed)})


def _tasks(block):
    total = 0
    for task in block.block:
        if hasattr(task, "block"):
            total += _tasks(task)
        elif task.action not in ("meta", "ansible.builtin.meta"):
            total += 1
    return total


def _message(result):
    """What went wrong, in the words of the module; of a loop, the first item that failed."""
    if "censored" in result:
        return "the output is hidden, because the task says no_log"
    for item in result.get("results") or []:
        if isinstance(item, dict) and (item.get("failed") or item.get("unreachable")):
            return _message(item)
    parts = [str(result.get("msg") or "").strip()]
    for name in ("stderr", "module_stderr", "stdout", "module_stdout"):
        text = str(result.get(name) or "").strip()
        if text and text not in parts[0]:
            parts.append(text)
            break
    return "\n".join(part for part in parts if part)[:MESSAGE_LIMIT]
