/*
 * form.js - a new job: what to ask for, the upload, and what to say when the service refuses.
 *
 *     ready --> sending --> ready | waiting (the service is full, for so many seconds) --> ready
 */
import { Refusal, postJob, uploadJob } from "./service.js";
import { byId, count, say, show } from "./text.js";

const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;
const labelBytes = 200; // that the service takes

/* What keeps a field from being sent: the field, and a text. */
class Mistake extends Error {
    constructor(field, message) {
        super(message);
        this.field = field;
    }
}

export class Form {
    #state = "ready";
    #form = byId("new");
    #button = byId("new").querySelector("button[type=submit]");
    #error = byId("form-error");
    #started;
    #stop = null;

    /* started(job) hears of each job that the service has taken. */
    constructor(started) {
        this.#started = started;
        this.#form.onchange = () => this.#arrange();
        this.#form.oninput = () => this.#forgive();
        this.#form.onsubmit = (event) => {
            event.preventDefault();
            if (this.#state === "ready") this.#submit();
        };
        byId("upload-stop").onclick = () => this.#stop?.abort();
        this.#arrange();
    }

    // Shows what belongs to the kind; browsers keep what was chosen when a page is loaded again.
    #arrange() {
        const kind = chosen("kind");
        for (const fields of this.#form.querySelectorAll("[data-kind]")) show(fields, fields.dataset.kind === kind);
        for (const fields of this.#form.querySelectorAll("[data-source]"))
            show(fields, fields.dataset.source === chosen("source"));
        show(byId("many"), kind === "pi" || kind === "crash");
    }

    #forgive() {
        for (const field of this.#form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
        say(this.#error, "");
    }

    async #submit() {
        this.#forgive();
        try {
            const { parameters, file, copies } = asked();
            this.#become("sending");
            for (let left = copies; left > 0; left--) {
                byId("copies").value = left; // what is left if one of them is refused
                this.#started(await (file ? this.#upload(parameters, file) : postJob(parameters)));
            }
            byId("copies").value = 1;
            this.#become("ready");
        } catch (error) {
            this.#refused(error);
        }
    }

    async #upload(parameters, file) {
        this.#stop = new AbortController();
        byId("upload-bar").value = 0;
        show(byId("upload"), true);
        try {
            return await uploadJob(parameters, file, (part) => (byId("upload-bar").value = part), this.#stop.signal);
        } finally {
            this.#stop = null;
            show(byId("upload"), false);
        }
    }

    #refused(error) {
        if (error instanceof Mistake) {
            error.field.setAttribute("aria-invalid", "true");
            error.field.focus();
        } else if (!(error instanceof Refusal)) {
            throw error;
        }
        say(this.#error, error.message);
        if (error.retryAfter > 0) this.#wait(error.retryAfter);
        else this.#become("ready");
    }

    // The seconds are told by the button, which is no live region.
    #wait(seconds) {
        this.#become("waiting");
        say(this.#button, `Start again in ${seconds} s`);
        if (seconds > 0) setTimeout(() => this.#wait(seconds - 1), 1000);
        else this.#become("ready");
    }

    // A button that is disabled would lose the focus.
    #become(state) {
        this.#state = state;
        this.#button.setAttribute("aria-disabled", String(state !== "ready"));
        say(this.#button, state === "sending" ? "Starting" : "Start");
    }
}

/* { parameters, file, copies } of what stands in the form. */
function asked() {
    const kind = chosen("kind");
    const label = byId("label").value.trim();
    if (kind === "pi") {
        const strips = wholeNumber("pi-strips");
        return {
            parameters: { kind, strips, label: cut(label || `${count(strips)} strips`) },
            copies: wholeNumber("copies"),
        };
    }
    if (kind === "crash")
        return { parameters: { kind, label: cut(label || "on purpose") }, copies: wholeNumber("copies") };
    if (kind === "digest" && chosen("source") === "folder") {
        const path = byId("digest-path").value.trim() || ".";
        return { parameters: { kind, path, label: cut(label || (path === "." ? "the whole root" : path)) }, copies: 1 };
    }
    const file = fileOf(kind === "digest" ? "digest-file" : "thumbnail-file");
    const parameters = { kind, label: cut(label || file.name) };
    if (kind === "thumbnail") {
        parameters.width = parameters.height = wholeNumber("thumbnail-size");
        parameters.format = chosen("format");
    }
    return { parameters, file, copies: 1 };
}

function fileOf(id) {
    const file = byId(id).files[0];
    if (!file) throw new Mistake(byId(id), "Choose a file first.");
    return file;
}

function wholeNumber(id) {
    const field = byId(id);
    const least = Number(field.min),
        most = Number(field.max),
        value = field.valueAsNumber;
    if (!Number.isInteger(value) || value < least || value > most) {
        throw new Mistake(
            field,
            `${field.labels[0].textContent}: a whole number from ${count(least)} to ${count(most)}.`,
        );
    }
    return value;
}

/* The beginning, in whole characters of UTF-8. */
function cut(text) {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length <= labelBytes) return text;
    return new TextDecoder().decode(bytes.slice(0, labelBytes - 3), { stream: true }) + "\u2026";
}
