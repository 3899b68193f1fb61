/*
 * job.js - what a job is, and what is said of it.
 *
 *     queued --> running --> succeeded | failed | cancelled        (queued may also end at once)
 */
import { bytes, duration, plural } from "./text.js";

const rank = { queued: 0, running: 1, succeeded: 2, failed: 2, cancelled: 2 };
const kinds = { digest: "Digest", thumbnail: "Thumbnail", pi: "Pi", crash: "Crash" };
const words = { queued: "Waiting", running: "Running", succeeded: "Done", failed: "Failed", cancelled: "Cancelled" };

export const ended = (job) => rank[job.state] === 2;

/*
 * An answer and an event come over two connections, in any order. A job never moves back, so the older of two shows.
 * With another time of creation it is another job: the service has begun again, and with it the numbers.
 */
export function latest(known, heard) {
    if (!known || known.created !== heard.created) return heard;
    const ahead =
        rank[heard.state] - rank[known.state] || heard.cancelling - known.cancelling || age(heard) - age(known);
    return ahead >= 0 ? heard : known;
}

const age = (job) => job.queued_ms + job.run_ms;

export const newestFirst = (a, b) => Number(b.id) - Number(a.id);

export const kindOf = (job) => kinds[job.kind] ?? job.kind;

export const titleOf = (job) => job.label || `Job ${job.id}`;

export function stateOf(job) {
    return job.cancelling && !ended(job) ? "Cancelling" : (words[job.state] ?? job.state);
}

/* Between 0 and 1; null while it runs and nobody knows how far. */
export function partOf(job) {
    const { done, total } = job.progress;
    if (job.state === "succeeded") return 1;
    if (total > 0) return Math.min(done / total, 1);
    return job.state === "running" ? null : 0;
}

function progressOf(job) {
    const { done, total } = job.progress;
    if (total === 0) return done > 0 && job.kind === "digest" ? bytes(done) : null;
    const percent = `${Math.floor((done / total) * 100)} %`;
    return job.kind === "digest" ? `${percent} of ${bytes(total)}` : percent;
}

/* The line below a job's bar. `since` is how long ago the service said it, in milliseconds. */
export function lineOf(job, since) {
    if (job.state === "queued") return `for ${duration(job.queued_ms + since)}`;
    if (job.state === "running") return together(progressOf(job), duration(job.run_ms + since), workerOf(job));
    return together(outcomeOf(job), job.run_ms > 0 ? `took ${duration(job.run_ms)}` : null, workerOf(job));
}

const together = (...parts) => parts.filter((part) => part).join(" \u00b7 ");

const workerOf = (job) => (job.worker === null ? null : `worker ${job.worker}`);

/* A result in a few words. */
export function outcomeOf(job) {
    const result = job.result;
    if (!result) return null;
    if (job.kind === "pi") return `\u03c0 \u2248 ${result.pi}`;
    if (job.kind === "thumbnail") return `${result.width} \u00d7 ${result.height}, ${bytes(result.bytes)}`;
    if (job.kind === "digest" && job.result_location) return `${plural(result.files, "file")}, ${bytes(result.bytes)}`;
    return job.kind === "digest" ? `${result.sha256.slice(0, 12)}\u2026` : null;
}
