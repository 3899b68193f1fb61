/*
 * details.js - one job, opened: how it goes, when and where it ran, its result or its error.
 *
 * #job-17 in the address opens job 17, so that it can be bookmarked, and the browser's back button closes it.
 */
import { ended, kindOf, latest, partOf, stateOf, titleOf } from "./job.js";
import { getJob, readText } from "./service.js";
import { byId, bytes, clock, count, duration, h, plural, say, show } from "./text.js";

const mostText = 200_000; // characters of a listing that are read; the rest can be downloaded
const rowsAtOnce = 100;

export class Details {
    #job = null;
    #parts = null;
    #filled = false; // the result stands there
    #dialog = byId("details");
    #known; // id -> job, or undefined
    #cancel;

    constructor(known, cancel) {
        this.#known = known;
        this.#cancel = cancel;
        byId("details-close").onclick = () => this.#dialog.close();
        this.#dialog.onclose = () => this.#closed();
        // A click beside it.
        this.#dialog.onclick = (event) => event.target === this.#dialog && this.#dialog.close();
        addEventListener("hashchange", () => this.#follow());
        this.#follow();
    }

    heard(job) {
        if (job.id === this.#job?.id) this.#write(job);
    }

    /* Events may have been missed. */
    refresh() {
        if (this.#job && !(this.#job.kind && ended(this.#job))) this.#read(this.#job.id);
    }

    #follow() {
        const id = /^#job-(\d+)$/.exec(location.hash)?.[1];
        if (!id) return this.#dialog.close();
        this.#begin(id);
        const known = this.#known(id);
        if (known) this.#write(known);
        else this.#read(id);
    }

    async #read(id) {
        try {
            const job = await getJob(id);
            if (this.#job?.id === id) this.#write(job);
        } catch (error) {
            if (this.#job?.id === id) this.#refused(error);
        }
    }

    #begin(id) {
        this.#job = { id };
        this.#parts = null;
        this.#filled = false;
        say(byId("details-title"), `Job ${id}`);
        byId("details-body").replaceChildren(h("p", { className: "hint" }, "Loading"));
        if (!this.#dialog.open) this.#dialog.showModal();
        this.#dialog.scrollTop = 0;
    }

    #closed() {
        this.#job = null;
        if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    }

    #refused(error) {
        // The page says that the service is away; what stands there is old then, but there.
        if (this.#job.kind && error.status !== 404) return;
        this.#parts = null;
        const text =
            error.status === 404
                ? "The service does not know this job, or has forgotten it: it keeps so many and no more."
                : error.message;
        byId("details-body").replaceChildren(h("p", { className: "notice" }, text));
    }

    #write(job) {
        if (this.#job.kind && this.#job.created !== job.created) this.#begin(job.id); // another job of this number
        this.#job = job = latest(this.#job.kind ? this.#job : null, job);
        this.#parts ??= this.#build(job);
        const { state, bar, facts, cancel } = this.#parts;
        say(byId("details-title"), `${kindOf(job)} ${job.id}: ${titleOf(job)}`);
        say(state, stateOf(job));
        state.dataset.state = job.state;
        const part = partOf(job);
        if (part === null) bar.removeAttribute("value");
        else bar.value = part;
        show(bar, !ended(job));
        for (const [name, text] of factsOf(job)) say(facts.get(name), text);
        if (ended(job) && document.activeElement === cancel) byId("details-title").focus();
        show(cancel, !ended(job));
        cancel.setAttribute("aria-disabled", String(job.cancelling));
        if (ended(job) && !this.#filled) this.#fill(job);
    }

    #build(job) {
        const facts = new Map(factsOf(job).map(([name]) => [name, h("dd")]));
        const parts = {
            facts,
            state: h("p", { className: "state" }),
            bar: h("progress", { max: 1, "aria-label": "Progress" }),
            outcome: h("div", { className: "outcome" }),
            cancel: h("button", { type: "button", onclick: () => this.#cancel(this.#job) }, "Cancel"),
            links: h("p", { className: "actions" }),
        };
        parts.links.append(
            parts.cancel,
            h("a", { href: `jobs/${job.id}`, target: "_blank", rel: "noopener" }, "As JSON"),
        );
        byId("details-body").replaceChildren(
            parts.state,
            parts.bar,
            parts.outcome,
            h(
                "dl",
                { className: "facts" },
                ...[...facts].map(([name, value]) => h("div", {}, h("dt", {}, name), value)),
            ),
            parts.links,
        );
        return parts;
    }

    async #fill(job) {
        const { outcome, links } = this.#parts;
        this.#filled = true;
        if (job.error) outcome.replaceChildren(...errorOf(job));
        if (job.result_location) {
            links.append(h("a", { href: job.result_location, download: downloadName(job) }, "Download"));
        }
        if (!job.result) return;
        try {
            outcome.replaceChildren(...(await resultOf(job)));
        } catch (error) {
            outcome.replaceChildren(h("p", { className: "notice bad" }, error.message));
        }
    }
}

function factsOf(job) {
    return [
        ["Submitted", clock(job.created)],
        ["Waited", duration(job.queued_ms)],
        ["Ran", job.run_ms > 0 ? duration(job.run_ms) : "not yet"],
        ["Worker process", job.worker === null ? "none yet" : String(job.worker)],
    ].map(([name, text]) => [name, ended(job) ? text.replace(/^(not|none) yet$/, job.kind && "never") : text]);
}

function errorOf(job) {
    const { code, message, signal } = job.error;
    const text = h("p", { className: job.state === "failed" ? "notice bad" : "notice" }, message || code);
    return [text, h("p", { className: "hint mono" }, signal ? `${code}, signal ${signal}` : code)];
}

const downloadName = (job) =>
    job.kind === "digest" ? `job-${job.id}.sha256` : `job-${job.id}.${job.result?.format ?? "png"}`;

function resultOf(job) {
    if (job.kind === "pi")
        return [h("p", { className: "digits" }, String(job.result.pi)), note(plural(job.result.strips, "strip"))];
    if (job.kind === "thumbnail") return pictureOf(job);
    if (job.kind === "digest" && job.result_location) return listingOf(job);
    if (job.kind === "digest")
        return [tableOf([{ name: titleOf(job), digest: job.result.sha256 }], `SHA-256 of ${bytes(job.result.bytes)}`)];
    return [h("p", { className: "digits" }, JSON.stringify(job.result, null, 2))];
}

const note = (text) => h("p", { className: "hint" }, text);

function pictureOf(job) {
    const { width, height, source_width: fromWidth, source_height: fromHeight, bytes: size } = job.result;
    return [
        h("img", {
            className: "picture",
            src: job.result_location,
            alt: `Thumbnail of ${titleOf(job)}`,
            width,
            height,
        }),
        note(`${width} \u00d7 ${height} pixels of ${fromWidth} \u00d7 ${fromHeight}, ${bytes(size)}`),
    ];
}

async function listingOf(job) {
    const { text, more } = await readText(job.result_location, mostText);
    const { files, failed, bytes: size, sha256 } = job.result;
    const rows = text
        .split("\n")
        .map(lineOfListing)
        .filter((row) => row);
    const said = [`SHA-256 of ${plural(files, "file")}, ${bytes(size)} in all`];
    if (failed > 0) said.push(`${plural(failed, "file")} could not be read`);
    if (more) said.push("these are the first, the download has all");
    return [tableOf(rows, said.join("; ")), h("p", { className: "hint mono" }, `of the listing: ${sha256}`)];
}

/* A line of sha256sum: a backslash in front says that the name has some, and escaped line ends. */
function lineOfListing(line) {
    const parts = /^(\\?)([0-9a-f]{64}) [ *](.*)$/.exec(line);
    if (!parts) return null;
    const [, escaped, digest, name] = parts;
    const unescaped = (_, c) => ({ n: "\n", r: "\r" })[c] ?? c;
    return { name: escaped ? name.replace(/\\(.)/g, unescaped) : name, digest };
}

/* So many rows at once; a button shows the next. */
function tableOf(rows, caption) {
    const body = h("tbody");
    const more = h("button", { type: "button" });
    const show = () => {
        const next = rows.slice(body.rows.length, body.rows.length + rowsAtOnce);
        body.append(
            ...next.map(({ name, digest }) =>
                h("tr", {}, h("th", { scope: "row" }, name), h("td", { className: "mono" }, digest)),
            ),
        );
        const left = rows.length - body.rows.length;
        say(more, `Show ${count(Math.min(left, rowsAtOnce))} more of ${count(left)}`);
        more.hidden = left === 0;
    };
    more.onclick = show;
    show();
    const head = h("tr", {}, h("th", { scope: "col" }, "File"), h("th", { scope: "col" }, "SHA-256"));
    const table = h("table", {}, h("caption", {}, caption), h("thead", {}, head), body);
    return h("div", { className: "scrolls", tabIndex: 0, role: "region", "aria-label": "Digests" }, table, more);
}
