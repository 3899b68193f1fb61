/*
 * page.js - wires the page: the form starts jobs, the list and the opened job hear of every change.
 */
import { Details } from "./details.js";
import { Form } from "./form.js";
import { ended, kindOf, stateOf } from "./job.js";
import { List, pageLength } from "./list.js";
import { cancelJob, getJobs, readMetrics, watch } from "./service.js";
import { byId, count, plural, say, show } from "./text.js";

const connections = {
    connecting: "Connecting",
    live: "Live",
    polling: "No live updates: asks every few seconds",
    offline: "Not connected: tries again",
};

const mine = new Map(); // the jobs that this page has started and that have not ended: id -> state that was told
const befores = [null]; // where each page begins that was passed on the way to this one, which is the last
let reading = 0; // the youngest reading of the list; the answers to older ones are dropped
let news = []; // sentences that were not told yet

const list = new List(cancel, arrange);
const details = new Details((id) => list.job(id), cancel);
new Form(started);

function heard(job) {
    list.heard(job);
    details.heard(job);
    tellOf(job);
    counts.ask();
}

async function cancel(job) {
    if (ended(job) || job.cancelling) return;
    try {
        heard(await cancelJob(job.id));
    } catch (error) {
        if (error.status !== 409) notice(error.message); // 409: it has ended meanwhile, and an event says so
    }
}

function started(job) {
    mine.set(job.id, null);
    if (befores.length > 1) {
        befores.length = 1;
        refresh();
    }
    heard(job);
}

/* Reads this page of the list; whether it could. */
async function refresh() {
    const turn = ++reading;
    try {
        const before = befores.at(-1);
        const { jobs, next } = await getJobs(pageLength, before);
        if (turn !== reading) return true;
        list.replace(jobs, before === null, next !== null);
        details.refresh();
        jobs.forEach(tellOf);
        notice("");
        counts.ask();
        return true;
    } catch (error) {
        if (turn === reading) notice(`${error.message} What you see may be old.`);
        return false;
    }
}

/* What stands around the jobs of this page. */
function arrange(shown) {
    const first = befores.length === 1;
    say(byId("empty"), first ? "No jobs yet. Start one: its bar will move here." : "There is no older job.");
    show(byId("empty"), shown === 0);
    say(byId("range"), first ? "what runs, then the newest first" : `page ${befores.length}, older ones`);
    show(byId("pages"), !first || list.next !== null);
    byId("newer").setAttribute("aria-disabled", String(first));
    byId("older").setAttribute("aria-disabled", String(list.next === null));
}

/* Turns to another page, and puts the reader at its beginning. */
async function turn(change) {
    change();
    if (await refresh()) byId("jobs-title").focus();
}

byId("older").onclick = () => list.next !== null && turn(() => befores.push(list.next));
byId("newer").onclick = () => befores.length > 1 && turn(() => befores.pop());

function notice(text) {
    say(byId("notice"), text);
}

/* Screen readers hear when a job of this page begins and ends, a sentence for all that happened in two seconds. */
function tellOf(job) {
    if (!mine.has(job.id) || mine.get(job.id) === job.state || job.state === "running") return;
    mine.set(job.id, job.state);
    if (ended(job)) mine.delete(job.id);
    if (news.length === 0) setTimeout(tell, 2000);
    news.push(`${kindOf(job)} ${job.id}: ${stateOf(job)}.`);
}

function tell() {
    say(byId("news"), news.length > 4 ? `${plural(news.length, "job")} started or ended.` : news.join(" "));
    news = [];
}

/* The line at the top, from the service's metrics: at most one request in a second. */
const counts = {
    due: false,
    ask() {
        if (this.due || document.hidden) return;
        this.due = true;
        setTimeout(() => this.read(), 1000);
    },
    async read() {
        this.due = false;
        const sums = {};
        const add = (name, value) => (sums[name] = (sums[name] ?? 0) + value);
        try {
            await readMetrics((name, labels, value) => {
                if (name === "service_jobs") add(/state="(\w+)"/.exec(labels)?.[1], value);
                if (name === "soon_workers_max") add("workers", value);
            });
        } catch {
            return; // the notice above the list tells it
        }
        const { running = 0, queued = 0, workers = 0 } = sums;
        document.title = running + queued > 0 ? `(${count(running + queued)}) Jobs` : "Jobs";
        say(byId("stats"), `${plural(workers, "worker")}, ${count(running)} running, ${count(queued)} waiting`);
    },
};

function changed(state) {
    const connection = byId("connection");
    connection.dataset.state = state;
    say(connection.firstElementChild, connections[state]);
}

watch({ heard, changed, refresh });
