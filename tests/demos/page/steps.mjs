/*
 * steps.mjs - what one does on the page. Bars are watched from inside it: recordBars() keeps each value that one shows.
 */
import assert from "node:assert/strict";

export const endless = 1_000_000_000_000; // strips of a job that is to be cancelled

export const rowOf = (page, id) => page.locator(`[data-id="${id}"]`);
export const becomes = (page, id, state) => page.locator(`[data-id="${id}"][data-state="${state}"]`).waitFor();
export const choose = (page, kind) => page.getByRole("radio", { name: kind, exact: true }).check();
export const field = (page, label) => page.locator("form").getByLabel(label, { exact: true });
export const cancel = (page, id) =>
    rowOf(page, id)
        .getByRole("button", { name: /^Cancel/ })
        .click();

/* Does what starts a job; its id. */
export async function idOf(page, act) {
    const answer = page.waitForResponse((response) => response.request().method() === "POST");
    await act();
    return (await (await answer).headerValue("Location")).replace("/jobs/", "");
}

export const start = (page) => idOf(page, () => page.getByRole("button", { name: "Start" }).click());

export async function startPi(page, strips, label = "") {
    await choose(page, "Pi");
    await field(page, "Strips").fill(String(strips));
    await field(page, "Label (if you like)").fill(label);
    return start(page);
}

export async function startFolder(page, path) {
    await choose(page, "Digest");
    await choose(page, "A folder there");
    await field(page, "Folder, below the root of the service").fill(path);
    return start(page);
}

/* Opens a job by its link; the dialog. */
export async function open(page, id) {
    await rowOf(page, id).getByRole("link").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Submitted").waitFor();
    return dialog;
}

/* Waits until the bar shows more than it does now. */
export async function moves(page, id) {
    await rowOf(page, id).waitFor();
    const before = await page.evaluate((id) => window.bars[id]?.at(-1) ?? 0, id);
    await page.waitForFunction(([id, before]) => window.bars[id]?.at(-1) > before, [id, before]);
}

/* It has moved, and never back. */
export async function hasMoved(page, id) {
    const values = await page.evaluate((id) => window.bars[id], id);
    assert(values.length >= 2 && values.at(-1) === 1, `the bar had these values alone: ${values}`);
    assert.deepEqual(
        values,
        [...values].sort((a, b) => a - b),
    );
}

/* Starts a job while all workers are busy, so that its bar is seen empty; it runs when they are not any more. */
export async function startWaiting(page, act) {
    const busy = [await startPi(page, endless), await startPi(page, endless)];
    for (const id of busy) await becomes(page, id, "running");
    const id = await act();
    await page.waitForFunction((id) => window.bars[id]?.at(-1) === 0, id);
    for (const one of busy) await cancel(page, one);
    return id;
}
