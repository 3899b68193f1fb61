/*
 * inside.mjs - what runs in the page. Each function is sent there as text, so it uses nothing from outside of itself.
 */

/* Keeps in window.bars, for the ID of a job, each value that its bar in the list has shown. */
export function recordBars() {
    window.bars = {};
    const note = (bar) => {
        const id = /^bar-(\d+)$/.exec(bar.id)?.[1];
        if (!id || !bar.hasAttribute("value")) return;
        const values = (window.bars[id] ??= []);
        if (values.at(-1) !== bar.value) values.push(bar.value);
    };
    const noteAll = (changes) => {
        for (const { type, target, addedNodes } of changes) {
            if (type === "attributes") note(target);
            for (const node of addedNodes) node.querySelectorAll?.("progress").forEach(note);
        }
    };
    new MutationObserver(noteAll).observe(document, { subtree: true, childList: true, attributeFilter: ["value"] });
}

/* What reaches beyond the right edge. */
export function sideways() {
    const found = [];
    for (const box of [document.scrollingElement, ...document.querySelectorAll("dialog[open], .scrolls")]) {
        if (box.scrollWidth <= box.clientWidth) continue;
        const edge = box.getBoundingClientRect().left + box.clientWidth;
        const wide = [...box.querySelectorAll("*")].filter((element) => element.getBoundingClientRect().right > edge);
        found.push(...wide.map((element) => element.outerHTML.slice(0, 100)));
    }
    return found;
}

/* Texts that stand out too little from what is behind them: the Web Content Accessibility Guidelines, level AA. */
export function contrasts() {
    const numbers = (color) => color.match(/[\d.]+/g).map(Number);
    const linear = (part) => (part <= 10.31475 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const ground = (element) => {
        for (; element; element = element.parentElement) {
            const [r, g, b, alpha = 1] = numbers(getComputedStyle(element).backgroundColor);
            if (alpha === 1) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const part = document.querySelector("dialog[open]") ?? document.body;
    const texts = [...part.querySelectorAll("*")].filter((element) => {
        const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
        return (
            (own || element.matches("input")) &&
            element.checkVisibility({ opacityProperty: true }) &&
            !element.matches("option")
        );
    });
    return texts.flatMap((element) => {
        const style = getComputedStyle(element);
        const [lighter, darker] = [luminance(numbers(style.color)), luminance(ground(element))].sort((a, b) => b - a);
        const ratio = (lighter + 0.05) / (darker + 0.05);
        return ratio < 4.5 ? [`${ratio.toFixed(2)} ${element.outerHTML.slice(0, 100)}`] : [];
    });
}

/* Controls and bars that a screen reader cannot name. */
export function unnamed() {
    const named = (element) =>
        element.getAttribute("aria-label")?.trim() ||
        [...(element.labels ?? [])].some((label) => label.textContent.trim()) ||
        (element.matches("a, button") && element.textContent.trim());
    return [...document.querySelectorAll("a, button, input, select, progress, [role=region]")]
        .filter((element) => element.checkVisibility() && !named(element))
        .map((element) => element.outerHTML.slice(0, 100));
}
