"""The lease of a lake in an object store: one small object, taken, kept and given back by conditional puts (cluster.md §10).

Nobody's clock is compared with another's. Whoever wants the lease calls it left behind only after seeing the same ETag for a whole `TTL_S` of
its own clock; the holder stops committing when its own last heartbeat is older than half of that, unless the next one goes through.
"""

import json
import os
import secrets
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from schemas import s3
from schemas.errors import BusyError, UsageError

TTL_S = 60.0
"""A lease without a heartbeat for so long is left behind."""
BEAT_S = 2.5
"""Between two heartbeats. One that is seen tells a waiter that the holder lives."""
SILENCE_S = 7.5
"""A waiter that saw no heartbeat for so long says that it waits for the lease to run out."""
_POLL_S = 0.5


@dataclass(frozen=True)
class _Seen:
    """The lease as it lies in the store, with the ETag by which it can be replaced; None where there is none."""

    document: dict[str, Any]
    etag: str | None

    @property
    def is_free(self) -> bool:
        """True when nobody holds it: there is none, or it was given back."""
        return self.etag is None or bool(self.document.get("released"))

    @property
    def holder(self) -> str:
        """Who holds it, for a sentence."""
        return f"{self.document.get('verb')} (pid {self.document.get('pid')} on {self.document.get('host')})"


class StoreLease:
    """A lease that is held, with a thread that keeps it. `taken_over`: its last holder never gave it back.

    Raises `BusyError` when another driver holds it and lives.
    """

    def __init__(self, root: str, verb: str, ttl_s: float = TTL_S, beat_s: float = BEAT_S) -> None:
        self._root, self._ttl_s, self._beat_s = root, ttl_s, beat_s
        bucket, key = s3.split(f"{root}/.lease")
        self._object = {"Bucket": bucket, "Key": key}
        self._me = {"verb": verb, "pid": os.getpid(), "host": socket.gethostname(), "owner": secrets.token_hex(8)}
        self._lock = threading.Lock()
        self._lost: str | None = None
        self._ended = threading.Event()
        with s3.reaching(root):
            self._take()
        self._thread = threading.Thread(target=self._beat, name="talkvid-lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise `BusyError` unless the lease is still held: its last heartbeat is young, or one goes through now."""
        if self._lost is None and time.monotonic() - self._beaten > self._ttl_s / 2:
            try:
                self._renew()
            except Exception as error:  # noqa: BLE001 - whatever the reason, without a heartbeat nothing may be committed
                raise BusyError(f"the lease of {self._root} could not be kept ({type(error).__name__}); run it again") from error
        if self._lost is not None:
            raise BusyError(self._lost)

    def release(self) -> None:
        """Give the lease back; a lost one is left to whoever has it, and one that cannot be given back runs out."""
        self._ended.set()
        with self._lock:
            if self._lost is not None:
                return
            try:
                self._put({"released": True}, IfMatch=self._etag)
            except Exception as error:  # noqa: BLE001 - the verb's own end counts, whatever became of its lease
                print(f"the lease of {self._root} was not given back ({type(error).__name__}); it runs out in {self._ttl_s:.0f} s", file=sys.stderr)

    def _take(self) -> None:
        waited_for, since = None, time.monotonic()
        told = False
        while True:
            seen = self._seen()
            if seen.is_free:
                if self._claim(seen, taken_over=False):
                    return
                continue
            if waited_for is None or seen.etag != waited_for.etag:
                if waited_for is not None:
                    raise BusyError(f"the lake {self._root} is busy: {seen.holder} is writing; wait for it to end")
                waited_for, since = seen, time.monotonic()
            silent_s = time.monotonic() - since
            if silent_s > self._ttl_s:
                if self._claim(seen, taken_over=True):
                    return
                continue
            if silent_s > SILENCE_S and not told:
                left_s = self._ttl_s - silent_s
                print(f"the lake {self._root} was left held by {seen.holder}; it is taken over in {left_s:.0f} s", file=sys.stderr, flush=True)
                told = True
            time.sleep(_POLL_S)

    def _claim(self, seen: _Seen, taken_over: bool) -> bool:
        """Try to take a lease that is free or left behind; False when somebody was faster."""
        # A lease object that somebody deleted must not bring older generations back.
        self.generation = max(int(seen.document.get("generation", 0)) + 1, 0 if seen.etag else int(time.time()))
        self.taken_over = taken_over
        condition = {"IfMatch": seen.etag} if seen.etag else {"IfNoneMatch": "*"}
        return self._put({}, **condition)

    def _seen(self) -> _Seen:
        client = s3.client()
        try:
            answer = client.get_object(**self._object)
        except client.exceptions.NoSuchKey:
            return _Seen({}, None)
        return _Seen(json.loads(answer["Body"].read()), answer["ETag"])

    def _put(self, more: dict[str, Any], **condition: str) -> bool:
        """Write the lease if the condition holds. A put whose answer was lost is recognised by its nonce."""
        from botocore.exceptions import ClientError

        nonce = secrets.token_hex(8)
        body = json.dumps(self._me | {"generation": self.generation, "nonce": nonce} | more).encode()
        began = time.monotonic()
        try:
            self._etag = s3.client().put_object(**self._object, Body=body, **condition)["ETag"]
        except ClientError as error:
            if s3.status(error) == 501:
                raise UsageError(f"the store of {self._root} knows no conditional put, without which two drivers could write at once") from None
            if s3.status(error) not in (404, 409, 412):
                raise
            seen = self._seen()
            if seen.document.get("nonce") != nonce:
                return False
            self._etag = str(seen.etag)
        self._beaten = began
        return True

    def _renew(self) -> None:
        with self._lock:
            if self._lost is None and not self._put({}, IfMatch=self._etag):
                self._lost = f"the lake {self._root} was taken over by another driver; this one has stopped, run it again"

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_s) and self._lost is None:
            try:
                self._renew()
            except Exception:  # noqa: BLE001, S112 - the store may be away for a while; check() tells when that lasts too long
                continue
