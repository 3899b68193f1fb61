"""1,000 jobs, some of which crash and some are cancelled, while workers are killed from outside, streams come and go, and
somebody asks for the health all the time."""
import os
import random
import signal
import threading

from server import *

JOBS, JOBS_LATER = 1000, 300
KINDS = ("pi", "pi", "pi", "digest", "digest", "thumbnail", "crash")
seed = int(os.environ.get("SEED", random.randrange(10**6)))
print(f"seed {seed}")


def children(pid):
    """Of each of its threads: who has started a worker is its parent."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            found += [int(child) for child in file.read().split()]
    return found


class Storm:
    def __init__(self, service, jobs):
        self.service, self.jobs = service, jobs
        self.random = random.Random(seed)
        self.kinds = {}  # of each job
        self.cancelled = set()  # for which DELETE was 202
        self.over = threading.Event()
        self.healthy = self.killed = 0
        self.wrong = []
        self.picture = png(64, 64)

    def submit(self):
        kind = self.random.choice(KINDS)
        while True:
            if kind in ("digest", "thumbnail"):
                data = self.picture if kind == "thumbnail" else os.urandom(self.random.choice((10, 3000, 1500000)))
                answer = self.service.upload("kind=" + kind, data)
            else:
                answer = self.service.post({"kind": kind, "strips": 2000000} if kind == "pi" else {"kind": kind})
            if answer.status == 201:
                self.kinds[answer.json["id"]] = kind
                return answer.json["id"]
            equal(answer.status, 429)

    def cancel(self, number):
        answer = self.service.ask("DELETE", f"/jobs/{number}")
        if answer.status == 202:
            self.cancelled.add(number)
        else:
            equal(answer.status, 409)

    def submit_all(self):
        for i in range(self.jobs):
            number = self.submit()
            if self.random.random() < 0.15:
                self.cancel(number)
            if self.random.random() < 0.05:
                self.cancel(self.random.choice(list(self.kinds)))

    def kill(self):
        chance = random.Random(seed)
        while not self.over.is_set():
            for pid in children(self.service.process.pid):
                if chance.random() < 0.3:
                    try:
                        os.kill(pid, signal.SIGKILL)
                        self.killed += 1
                    except ProcessLookupError:
                        pass
            self.over.wait(0.05)  # so that some jobs get through

    def ask_health(self):
        while not self.over.is_set():
            equal(self.service.get("/healthz").json, {"status": "ok"})
            self.healthy += 1

    def watch(self):
        """Streams that are left in the middle."""
        while not self.over.is_set():
            for i, job in enumerate(self.service.events("/events")):
                if i > 20 or self.over.is_set():
                    break

    def guarded(self, function):
        try:
            function()
        except Exception:
            self.wrong.append(traceback.format_exc())

    def run(self):
        others = [threading.Thread(target=self.guarded, args=(f,), daemon=True) for f in (self.kill, self.ask_health, self.watch)]
        for thread in others:
            thread.start()
        self.submit_all()
        for number in self.kinds:
            self.service.wait(number)
        self.over.set()
        self.submit()  # the watcher wakes up
        for thread in others:
            thread.join()


def is_right(kind, job, cancelled):
    state, error = job["state"], job["error"] or {}
    code, number = error.get("code"), error.get("signal")
    if state == "succeeded":
        return kind != "crash" and job["result"] and not error
    if state == "cancelled":
        return cancelled and code in ("ECANCELED", "SOON_EKILLED")
    return state == "failed" and code == "SOON_EWORKERDIED" and number in ((9, 11) if kind == "crash" else (9,))


def each_ends_right(storm):
    storm.run()
    equal(storm.wrong, [])
    outcomes = {}
    for number, kind in storm.kinds.items():
        job = storm.service.wait(number)
        assert is_right(kind, job, number in storm.cancelled), (kind, number in storm.cancelled, job)
        outcomes[kind, job["state"]] = outcomes.get((kind, job["state"]), 0) + 1
    print(f"      {storm.killed} workers killed, {storm.healthy} times healthy; {outcomes}")
    assert storm.killed and storm.healthy and outcomes["pi", "succeeded"] and outcomes["crash", "failed"] and storm.cancelled


def nothing_is_left(service):
    for name in 'service_jobs{state="queued"}', 'service_jobs{state="running"}', "service_upload_bytes", "service_streams":
        service.wait_metric(name, 0)
    service.wait_metric("service_connections", 1)


def heap(service):
    nothing_is_left(service)
    return service.metric("service_heap_bytes")


def memory_goes_back(service):
    """As many ended jobs are kept after each of two storms; so the second one adds nothing."""
    before = heap(service)
    descriptors = len(os.listdir(f"/proc/{service.process.pid}/fd"))
    Storm(service, JOBS_LATER).run()
    grown = heap(service) - before
    assert grown < 250 * JOBS_LATER, f"{grown} bytes more, which are {grown / JOBS_LATER} for each job"
    more = len(os.listdir(f"/proc/{service.process.pid}/fd")) - descriptors
    assert more < 30, f"{more} descriptors more"  # a worker has some


with running("--workers", "2", "--kept-max", str(JOBS + 1), "--queued-max", "200") as service:
    check("each job ends in the right state, and no check of the health fails", each_ends_right, Storm(service, JOBS))
    check("nothing is left", nothing_is_left, service)
    check("memory goes back to where it was", memory_goes_back, service)
finish()
