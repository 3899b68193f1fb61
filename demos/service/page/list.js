/*
 * list.js - one page of the list of jobs, newest first. On the first page those that run stand on top, however old they
 * are.
 *
 * It holds the jobs of this page as they were last heard of, and a row for each. What changes is marked, and written
 * into the document once for each frame, however many events come.
 */
import { ended, kindOf, latest, lineOf, newestFirst, partOf, stateOf, titleOf } from "./job.js";
import { byId, h, say, show } from "./text.js";

export const pageLength = 20;

/* A job's row. Its elements stay, so that focus and bars do too. */
class Row {
    constructor(job, cancel) {
        this.title = h("a", { href: `#job-${job.id}` });
        this.state = h("p", { className: "state" });
        this.bar = h("progress", { max: 1, id: `bar-${job.id}` });
        this.line = h("p", { className: "meta" });
        this.why = h("p", { className: "meta why" });
        this.button = h("button", { type: "button", onclick: () => cancel(this.job) }, "Cancel");
        this.element = h(
            "li",
            { className: "job", "data-id": job.id },
            h("h3", {}, this.title, h("span", { className: "kind" }, ` ${kindOf(job)} ${job.id}`)),
            this.state,
            h("div", { className: "actions" }, this.button),
            this.bar,
            h("div", { className: "lines" }, this.line, this.why),
        );
    }

    write(job, heardAt) {
        const name = `${kindOf(job)} ${job.id}, ${titleOf(job)}`;
        this.job = job;
        this.heardAt = heardAt;
        say(this.title, titleOf(job));
        say(this.state, stateOf(job));
        this.state.dataset.state = this.element.dataset.state = job.state;
        this.writeBar(partOf(job), name);
        say(this.why, job.state === "failed" ? job.error.message : "");
        show(this.why, job.state === "failed");
        this.writeButton(name);
        this.tick(heardAt);
    }

    writeBar(part, name) {
        this.bar.setAttribute("aria-label", `Progress of ${name}`);
        if (part === null) this.bar.removeAttribute("value");
        else this.bar.value = part;
    }

    // The focus does not fall out of the list with the button.
    writeButton(name) {
        const needed = !ended(this.job);
        this.button.setAttribute("aria-label", `Cancel ${name}`);
        this.button.setAttribute("aria-disabled", String(this.job.cancelling));
        if (!needed && document.activeElement === this.button) this.title.focus();
        show(this.button, needed);
    }

    tick(now) {
        say(this.line, lineOf(this.job, now - this.heardAt));
    }
}

export class List {
    #jobs = new Map();
    #rows = new Map();
    #changed = new Set();
    #newest = true; // this page is the first
    #more = false; // there are older jobs than those of this page
    #cancel;
    #drawn;
    #list = byId("list");

    /* cancel(job) is called for a job's button, drawn() when what is shown has changed. */
    constructor(cancel, drawn) {
        this.#cancel = cancel;
        this.#drawn = drawn;
        setInterval(() => this.#tick(), 1000);
    }

    job(id) {
        return this.#jobs.get(id);
    }

    /* The ID before which the next page begins; null: there is none. */
    get next() {
        return this.#more ? this.#sorted().slice(0, pageLength).at(-1).id : null;
    }

    /* Shows these jobs and no others. */
    replace(jobs, newest, more) {
        const known = this.#jobs;
        this.#newest = newest;
        this.#more = more;
        this.#jobs = new Map(jobs.map((job) => [job.id, latest(known.get(job.id), job)]));
        this.#changed = new Set(this.#jobs.keys());
        this.#draw();
    }

    /* A job has changed; on the first page a new one takes its place at the top. */
    heard(job) {
        if (!this.#jobs.has(job.id) && !this.#belongs(job)) return;
        this.#jobs.set(job.id, latest(this.#jobs.get(job.id), job));
        if (this.#changed.size === 0) requestAnimationFrame(() => this.#draw());
        this.#changed.add(job.id);
    }

    #belongs(job) {
        if (!this.#newest) return false;
        const last = this.#sorted()[pageLength - 1];
        return !last || Number(job.id) > Number(last.id) || job.state === "running";
    }

    #sorted() {
        return [...this.#jobs.values()].sort(newestFirst);
    }

    #draw() {
        const now = performance.now();
        this.#trim();
        for (const id of this.#changed) {
            const job = this.#jobs.get(id);
            if (!job) continue;
            if (!this.#rows.has(id)) this.#rows.set(id, new Row(job, this.#cancel));
            this.#rows.get(id).write(job, now);
        }
        this.#changed.clear();
        this.#place();
        this.#drawn(this.#jobs.size);
    }

    // What is too much goes, but for jobs that run, and a row that has the focus.
    #trim() {
        for (const job of this.#sorted().slice(pageLength)) {
            this.#more = true;
            const stays = job.state === "running" || this.#rows.get(job.id)?.element.matches(":focus-within");
            if (!stays) this.#jobs.delete(job.id);
        }
        for (const [id, row] of this.#rows) {
            if (this.#jobs.has(id)) continue;
            row.element.remove();
            this.#rows.delete(id);
        }
    }

    // A row that is in its place is not touched; one that is moved loses its focus, and gets it back.
    #place() {
        const runs = (job) => this.#newest && job.state === "running";
        const focused = document.activeElement;
        let at = this.#list.firstChild;
        for (const job of this.#sorted().sort((a, b) => runs(b) - runs(a))) {
            const { element } = this.#rows.get(job.id);
            if (element === at) at = at.nextSibling;
            else this.#list.insertBefore(element, at);
        }
        if (focused !== document.activeElement && this.#list.contains(focused)) focused.focus({ preventScroll: true });
    }

    #tick() {
        const now = performance.now();
        for (const row of this.#rows.values()) if (!ended(row.job)) row.tick(now);
    }
}
