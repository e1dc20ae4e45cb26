"""A worker killed between sending and recording: nothing lost, every repeat recognisable."""

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.operations import Endpoint, Message, OperationsStore
from dagster_project.lib.webhooks import LEASE, Gate, HttpTransport, deliver

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[4]

WORKER = """
import os, signal, sys
from datetime import datetime
from dagster_project.lib.operations import open_store
from dagster_project.lib.webhooks import Gate, HttpTransport, deliver

url, schema, now, killed = sys.argv[1:]

class Deadly:
    posts = 0
    def post(self, url, *, headers, body):
        if killed == "before" and self.posts == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = HttpTransport().post(url, headers=headers, body=body)
        self.posts += 1
        if killed == "after" and self.posts == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

moment = datetime.fromisoformat(now)
deliver(
    open_store(url, schema=schema),
    now=moment, clock=lambda: moment, transport=Deadly(), gate=Gate(allow_loopback=True),
)
"""


@pytest.mark.parametrize("killed", ["before", "after"])
def test_a_worker_killed_around_the_post_loses_nothing(
    store: OperationsStore, store_address: tuple[str, str], receiver: Any, killed: str
) -> None:
    messages = [
        Message(
            type="invoice.finalized",
            organization_id="acme",
            object_id=f"inv{n}",
            sequence=1,
            occurred_at=NOW,
            data={},
        )
        for n in range(5)
    ]
    store.sync_endpoints([Endpoint(endpoint_id="crm", url=receiver.url, secrets=("whsec_" + "A" * 32,))], now=NOW)
    store.enqueue(messages, now=NOW)
    moments = [NOW, NOW + LEASE, NOW + 2 * LEASE]
    for at in moments[:2]:
        worker = subprocess.run(
            [sys.executable, "-c", WORKER, *store_address, at.isoformat(), killed],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert worker.returncode == -signal.SIGKILL, worker.stderr
    deliver(
        store,
        now=moments[2],
        clock=lambda: moments[2],
        transport=HttpTransport(),
        gate=Gate(allow_loopback=True),
    )
    assert {delivery.state for delivery in store.deliveries()} == {"delivered"}
    ids = [message.message_id for message in messages]
    assert sorted(set(receiver.message_ids)) == ids
    # killed after the POST: the second of each of two runs was sent and not recorded
    assert len(receiver.message_ids) == (7 if killed == "after" else 5)
    # every attempt is on record, those of the killed workers without an outcome
    attempts = [attempt for id_ in ids for attempt in store.attempts(id_)]
    assert len(attempts) == 7
    assert sum(attempt.duration_ms is None for attempt in attempts) == 2
