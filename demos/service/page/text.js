/*
 * text.js - elements and the words in them.
 *
 * What the service says gets into the page as text of a node or as a property, never as HTML.
 */

/*
 * h("a", { href: "#x" }, "text", element): an element. Properties are those of the DOM; "data-" and "aria-" ones are
 * attributes.
 */
export function h(name, properties = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
        if (key.includes("-")) element.setAttribute(key, value);
        else element[key] = value;
    }
    element.append(...children.filter((child) => child !== null));
    return element;
}

export const byId = (id) => document.getElementById(id);

/* Changes the text only if it differs: a screen reader looks again at whatever is written. */
export function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

export function show(element, visible) {
    element.hidden = !visible;
}

const number = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const count = (value) => number.format(value);

export function bytes(value) {
    const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (value >= 1024 && unit < units.length - 1) {
        value /= 1024;
        unit++;
    }
    return `${unit ? short.format(value) : count(value)} ${units[unit]}`;
}

export function duration(ms) {
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
    const seconds = Math.floor(ms / 1000);
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

export function clock(seconds) {
    const at = new Date(seconds * 1000);
    const time = at.toLocaleTimeString("en-GB");
    return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString("en-CA")} ${time}`;
}

export function plural(n, noun) {
    return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}
