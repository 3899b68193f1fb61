/*
 * service.js - talks to the service: requests, uploads, and the stream of events.
 *
 * A browser opens at most six connections to one host, for all of its tabs. So there is one stream for all jobs, and a
 * tab that is hidden has none.
 */

/* What the service refused, or that it did not answer (status 0). */
export class Refusal extends Error {
    constructor(status, message, retryAfter) {
        super(message);
        this.status = status;
        this.retryAfter = retryAfter; // seconds, or 0
    }
}

const unreachable = () => new Refusal(0, "The service does not answer.", 0);

/* The service's own words where it has sent some. */
function refusal(status, body, retryAfter) {
    let message = `The service answered with status ${status}.`;
    try {
        message = JSON.parse(body).error ?? message;
    } catch {
        // Something between us and the service has answered.
    }
    return new Refusal(status, String(message), Number(retryAfter) || 0);
}

async function request(path, options = {}) {
    let answer, body;
    try {
        answer = await fetch(path, { cache: "no-store", ...options });
        body = await answer.text();
    } catch {
        throw unreachable();
    }
    if (!answer.ok) throw refusal(answer.status, body, answer.headers.get("Retry-After"));
    return body;
}

const asked = async (path, options) => JSON.parse(await request(path, options));

export const getJob = (id) => asked(`jobs/${encodeURIComponent(id)}`);
export const cancelJob = (id) => asked(`jobs/${encodeURIComponent(id)}`, { method: "DELETE" });
export const getJobs = (limit, before) =>
    asked(`jobs?limit=${limit}${before ? `&before=${encodeURIComponent(before)}` : ""}`);

export function postJob(parameters) {
    return asked("jobs", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(parameters),
    });
}

/*
 * Sends a file, and tells `moved` the part that is sent, from 0 to 1; `signal` stops it. With an XMLHttpRequest, since
 * fetch() does not tell.
 */
export function uploadJob(parameters, file, moved, signal) {
    return new Promise((resolve, reject) => {
        const upload = new XMLHttpRequest();
        upload.open("POST", `jobs?${new URLSearchParams(parameters)}`);
        upload.setRequestHeader("Content-Type", "application/octet-stream");
        upload.upload.onprogress = (event) => moved(event.total ? event.loaded / event.total : 0);
        upload.onload = () => {
            if (upload.status === 201) resolve(JSON.parse(upload.responseText));
            else if (upload.status === 413)
                reject(new Refusal(413, "The file is too large: the service takes none of this size.", 0));
            else reject(refusal(upload.status, upload.responseText, upload.getResponseHeader("Retry-After")));
        };
        // A body that is too large is cut off, and the answer may be lost with the connection.
        upload.onerror = () =>
            reject(new Refusal(0, "The connection was closed: no service, or it takes no file this large.", 0));
        upload.onabort = () => reject(new Refusal(0, "The upload was stopped.", 0));
        signal.addEventListener("abort", () => upload.abort());
        upload.send(file);
    });
}

/* The beginning of a text, at most so many characters in whole lines; { text, more }. The rest is not fetched. */
export async function readText(location, most) {
    const stop = new AbortController();
    let answer;
    try {
        answer = await fetch(location, { signal: stop.signal });
    } catch {
        throw unreachable();
    }
    if (!answer.ok) throw refusal(answer.status, await answer.text(), 0);
    let text = "";
    for (const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader(); ;) {
        const { done, value } = await reader.read();
        if (done) return { text, more: false };
        text += value;
        if (text.length > most) break;
    }
    stop.abort();
    return { text: text.slice(0, text.lastIndexOf("\n", most) + 1), more: true };
}

/* The lines of /metrics: calls take(name, labels, value) for each, labels being the text between braces. */
export async function readMetrics(take) {
    for (const line of (await request("metrics")).split("\n")) {
        const parts = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
        if (parts) take(parts[1], parts[2] ?? "", Number(parts[3]));
    }
}

/*
 * Keeps the stream of events open while the page is visible.
 *
 *     connecting --> live --> (lost) --> polling | offline --> connecting ...
 *
 * Nothing is sent again that was missed, so each opening calls refresh(), which reads the jobs and resolves to whether
 * it could. So does each attempt that fails: without a stream the page still follows, every few seconds. heard(job)
 * gets each event, changed(state) each state. Returns a function that tries at once.
 */
export function watch({ heard, changed, refresh }) {
    const shortest = 500,
        longest = 5000;
    let source = null,
        timer = 0,
        pause = shortest;

    function close() {
        clearTimeout(timer);
        source?.close();
        source = null;
    }

    function open() {
        close();
        const stream = (source = new EventSource("events"));
        stream.onopen = () => {
            pause = shortest;
            changed("live");
            refresh();
        };
        stream.onerror = () => stream === source && lost();
        stream.addEventListener("job", (event) => heard(JSON.parse(event.data)));
    }

    // The browser's own attempts end for good at the first answer that is no stream.
    async function lost() {
        close();
        const mine = (timer = setTimeout(open, pause + Math.random() * 250));
        pause = Math.min(pause * 2, longest);
        const reached = await refresh();
        if (timer === mine && source === null) changed(reached ? "polling" : "offline");
    }

    function follow() {
        if (document.hidden) return close();
        pause = shortest;
        open();
    }

    document.addEventListener("visibilitychange", follow);
    addEventListener("online", follow);
    addEventListener("pagehide", close);
    addEventListener("pageshow", (event) => event.persisted && follow());
    changed("connecting");
    follow();
    return follow;
}
