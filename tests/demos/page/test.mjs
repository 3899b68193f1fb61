/*
 * test.mjs - the page of demos/service, as somebody uses it.
 *
 * One browser, one service. Jobs that are to be seen at work go on until they are cancelled.
 *
 * A test that waits for ever is one that fails.
 */
import assert from "node:assert/strict";
import { load, openPage, post, startBrowser, startService } from "./browser.mjs";
import { makeFile, makePicture, makeRoot, root, sha256 } from "./inputs.mjs";
import { contrasts, sideways, unnamed } from "./inside.mjs";
import {
    becomes,
    cancel,
    choose,
    endless,
    field,
    hasMoved,
    idOf,
    moves,
    open,
    rowOf,
    start,
    startFolder,
    startPi,
    startWaiting,
} from "./steps.mjs";

const part = process.argv[2] ?? ""; // of the names of the tests that are to run
const complaints = [];
let passed = 0,
    failed = 0,
    service,
    browser,
    shared;

async function check(name, body) {
    if (!name.includes(part)) return;
    try {
        await body();
        passed++;
        console.log(`ok    ${name}`);
    } catch (error) {
        failed++;
        console.log(`FAIL  ${name}\n${String(error.stack).replace(/^/gm, "      ")}`);
        await cancelAll(); // or the next tests would wait for what this one has left
    }
}

async function cancelAll() {
    const { jobs } = await (await fetch(`${service.url}jobs?limit=200`)).json();
    for (const { id, state } of jobs) {
        if (state === "queued" || state === "running") await fetch(`${service.url}jobs/${id}`, { method: "DELETE" });
    }
}

/* In the window that most tests share, with the page loaded again; or, with options, in one of its own. */
async function checkPage(name, options, body) {
    const page = options ? await openPage(browser, service.url, options, complaints) : shared;
    if (page === shared) await load(page, service.url);
    await check(name, () => body(page));
    if (page !== shared) await page.context().close();
}

async function piMovesAndOpens(page) {
    const id = await startWaiting(page, () => startPi(page, 200_000_000));
    await becomes(page, id, "succeeded");
    await hasMoved(page, id);
    const dialog = await open(page, id);
    await dialog.getByText(/^3\.14159265/).waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    await dialog.waitFor({ state: "hidden" });
}

async function folderOpensAsTable(page) {
    const id = await startWaiting(page, () => startFolder(page, "small"));
    await becomes(page, id, "succeeded");
    await hasMoved(page, id);
    const dialog = await open(page, id);
    await dialog.getByRole("row").nth(digests.size).waitFor();
    const rows = await dialog
        .getByRole("row")
        .evaluateAll((all) => all.slice(1).map((row) => [...row.cells].map((cell) => cell.textContent)));
    assert.deepEqual(new Map(rows.map(([name, digest]) => [name.replace(/^small\//, ""), digest])), digests);
}

async function uploadIsDigested(page) {
    const content = "an upload\n".repeat(100_000);
    const path = makeFile("upload.txt", content);
    const id = await startWaiting(page, async () => {
        await choose(page, "Digest");
        await field(page, "File").setInputFiles(path);
        return start(page);
    });
    await becomes(page, id, "succeeded");
    await hasMoved(page, id);
    const dialog = await open(page, id);
    await dialog.getByRole("cell", { name: sha256(content) }).waitFor();
    await dialog.getByRole("rowheader", { name: "upload.txt" }).waitFor();
}

async function pictureIsScaled(page, path, format) {
    const id = await startWaiting(page, async () => {
        await choose(page, "Thumbnail");
        await field(page, "Picture").setInputFiles(path);
        await field(page, "Pixels, at most, each way").fill("120");
        await choose(page, format);
        return start(page);
    });
    await becomes(page, id, "succeeded");
    await hasMoved(page, id);
    const image = (await open(page, id)).getByRole("img");
    await image.evaluate((element) => element.decode());
    assert.deepEqual(await image.evaluate((element) => [element.naturalWidth, element.naturalHeight]), [120, 80]);
}

async function oneIsCancelled(page) {
    const one = await startFolder(page, "huge");
    const other = await startPi(page, endless);
    const waits = await startPi(page, endless);
    await moves(page, one);
    await moves(page, other);
    await cancel(page, waits);
    await becomes(page, waits, "cancelled");
    await cancel(page, one);
    await becomes(page, one, "cancelled");
    await moves(page, other);
    await cancel(page, other);
    await becomes(page, other, "cancelled");
}

async function crashHurtsNobody(page) {
    const other = await startPi(page, 300_000_000);
    await moves(page, other);
    await choose(page, "Crash");
    await field(page, "How many of them").fill("3");
    const first = Number(await start(page));
    for (const id of [first, first + 1, first + 2]) await becomes(page, id, "failed");
    await rowOf(page, first)
        .getByText(/SIGSEGV|signal 11|segmentation/i)
        .waitFor();
    await (await open(page, first)).getByText("SOON_EWORKERDIED, signal 11").waitFor();
    await page.keyboard.press("Escape");
    await becomes(page, other, "succeeded");
}

/* Tab and arrow keys go where one looks for them; nothing is clicked. */
async function keysAreEnough(page) {
    const tabTo = async (locator) => {
        await locator.waitFor();
        while (!(await locator.evaluate((element) => element === document.activeElement)))
            await page.keyboard.press("Tab");
    };
    await tabTo(page.getByRole("radio", { name: "Digest" }));
    for (const _ of ["Thumbnail", "Pi"]) await page.keyboard.press("ArrowRight");
    await tabTo(field(page, "Strips"));
    await page.keyboard.press("Control+A");
    await page.keyboard.type(String(endless));
    const id = await idOf(page, () => page.keyboard.press("Enter"));
    await moves(page, id);

    const link = rowOf(page, id).getByRole("link");
    await tabTo(link);
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByText("Submitted").waitFor();
    assert(
        await page.evaluate(() => document.activeElement.closest("dialog") !== null),
        "the focus is not in the dialog",
    );
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert(await link.evaluate((element) => element === document.activeElement), "the focus does not come back");

    await tabTo(rowOf(page, id).getByRole("button"));
    await page.keyboard.press("Enter");
    await becomes(page, id, "cancelled");
    await page.waitForFunction(() => document.activeElement.tagName === "A");
}

/* Every kind's fields, a long label, jobs in every state, and one that is opened. */
async function fitsAndIsReadable(page) {
    const running = await startPi(page, endless, "averylonglabelwithoutanyspaceinit".repeat(5));
    await moves(page, running);
    const looks = async (where) => {
        assert.deepEqual(await page.evaluate(sideways), [], `${where}: scrolls sideways`);
        assert.deepEqual(await page.evaluate(contrasts), [], `${where}: too little contrast`);
        assert.deepEqual(await page.evaluate(unnamed), [], `${where}: without a name`);
    };
    for (const kind of ["Digest", "A folder there", "Thumbnail", "Pi", "Crash"]) {
        await choose(page, kind);
        await looks(kind);
    }
    await open(page, running);
    await looks("opened");
    await page.keyboard.press("Escape");
    await cancel(page, running);
    await becomes(page, running, "cancelled");
    await open(page, await folderThatIsDone(page));
    await page.getByRole("dialog").getByRole("row").nth(2).waitFor();
    await looks("its result");
}

async function folderThatIsDone(page) {
    const id = await startFolder(page, "small");
    await becomes(page, id, "succeeded");
    return id;
}

/* How long bars slide, and how many things move when there is a bar of which nobody knows how far it is. */
async function motion(page) {
    return page.evaluate(() => {
        document.querySelector("main").append(document.createElement("progress"));
        return [
            getComputedStyle(document.documentElement).getPropertyValue("--slide"),
            document.getAnimations().length,
        ];
    });
}

/* What a screen reader speaks unasked: the end of a job, not how its bar moves. */
async function littleIsSpoken(page) {
    await page.evaluate(() => {
        window.spoken = [];
        const all = document.querySelectorAll("[role=status], [role=alert]");
        const note = (changes) => window.spoken.push(...changes.map((change) => change.target.textContent));
        for (const region of all)
            new MutationObserver(note).observe(region, { childList: true, characterData: true, subtree: true });
    });
    const id = await startPi(page, 300_000_000);
    await becomes(page, id, "succeeded");
    await page.waitForFunction((id) => window.spoken.some((text) => text.includes(`Pi ${id}: Done.`)), id);
    const spoken = await page.evaluate(() => window.spoken);
    assert(spoken.length <= 2 && spoken.every((text) => text.includes(`Pi ${id}: `)), spoken.join("|"));
}

async function textIsText(page) {
    const label = '<img src=x onerror="violates(1)"> <b>&amp;</b>';
    const id = await startPi(page, 1000, label);
    await becomes(page, id, "succeeded");
    assert.equal(await rowOf(page, id).getByRole("link").textContent(), label);
    await (await open(page, id)).getByRole("heading", { name: label }).waitFor();
}

async function mistakesAreTold(page) {
    await choose(page, "Pi");
    for (const strips of ["", "0", "1.5", "-3"]) {
        await field(page, "Strips").fill(strips);
        await page.getByRole("button", { name: "Start" }).click();
        await page.getByRole("alert").filter({ hasText: "a whole number from 1 to" }).waitFor();
        assert.equal(await page.locator(":focus").getAttribute("id"), "pi-strips");
        assert.equal(await page.locator(":focus").getAttribute("aria-invalid"), "true");
    }
}

/* Jobs that nobody can miss: a page has twenty. */
async function pagesTurn(page) {
    await choose(page, "Pi");
    await field(page, "Strips").fill("1000");
    await field(page, "How many of them").fill("45");
    const first = Number(await start(page));
    await becomes(page, first + 44, "succeeded");
    const shown = () => page.locator("[data-id]").evaluateAll((rows) => rows.map((row) => Number(row.dataset.id)));
    const twentyFrom = (newest) => Array.from({ length: 20 }, (_, i) => newest - i);
    assert.deepEqual(await shown(), twentyFrom(first + 44));
    await page.getByRole("button", { name: "Older" }).click();
    await rowOf(page, first + 24).waitFor();
    assert.deepEqual(await shown(), twentyFrom(first + 24));
    await page.getByRole("button", { name: "Newer" }).click();
    await rowOf(page, first + 44).waitFor();
    assert.deepEqual(await shown(), twentyFrom(first + 44));
}

/* Whatever comes after it, and its button keeps the focus when its row moves. */
async function runningStaysInSight(page) {
    const id = await startPi(page, endless);
    await moves(page, id);
    await choose(page, "Crash");
    await field(page, "How many of them").fill("25");
    const last = Number(await start(page)) + 24;
    await becomes(page, last, "failed");
    assert.equal(await page.locator("[data-id]").first().getAttribute("data-id"), id);
    await moves(page, id);
    const button = rowOf(page, id).getByRole("button");
    await button.focus();
    await page.keyboard.press("Enter");
    await becomes(page, id, "cancelled");
    await page.waitForFunction((id) => document.activeElement.getAttribute("href") === `#job-${id}`, id);
}

/*
 * A list of jobs and events come over two connections; here the list comes last, though it is older. It has one job
 * more, so that the page is seen to have read it.
 */
async function olderAnswerUndoesNothing(page) {
    const id = await startPi(page, endless);
    await moves(page, id);
    let arrive, release;
    const arrived = new Promise((resolve) => (arrive = resolve)),
        released = new Promise((resolve) => (release = resolve));
    await page.route("**/jobs?limit=*", async (route) => {
        const response = await route.fetch();
        const answer = await response.json();
        arrive();
        await released;
        answer.jobs.unshift({ ...answer.jobs[0], id: "1000000", label: "comes late" });
        await route.fulfill({ response, json: answer });
    });
    await page.evaluate(() => dispatchEvent(new Event("online"))); // reads the list
    await arrived;
    await cancel(page, id);
    await becomes(page, id, "cancelled");
    release();
    await page.getByRole("link", { name: "comes late" }).waitFor();
    assert.equal(await rowOf(page, id).getAttribute("data-state"), "cancelled");
    await page.unroute("**/jobs?limit=*");
}

async function asksWhereNoEventsCome(page) {
    await page.route("**/events", (route) => route.abort());
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await page.locator("#connection[data-state=polling]").waitFor();
    const id = await startPi(page, 1000);
    await becomes(page, id, "succeeded");
    await page.unroute("**/events");
    await page.locator("#connection[data-state=live]").waitFor();
}

/* Those that follow have a service of their own. Chromium itself complains of each answer that is none. */
const expected = /Failed to load resource|net::ERR_/;

async function withOwnService(options, body) {
    const own = await startService(...options);
    const said = [];
    const page = await openPage(browser, own.url, {}, said);
    try {
        await body(page, own);
    } finally {
        await page.context().close();
        await own.stop("SIGKILL");
    }
    complaints.push(...said.filter((text) => !expected.test(text)));
}

async function linkOpens(page, own) {
    const id = await startPi(page, 1000);
    await page.goto(`${own.url}#job-${id}`);
    await page.reload();
    await page
        .getByRole("dialog")
        .getByRole("heading", { name: `Pi ${id}` })
        .waitFor();
    await page.goto(`${own.url}#job-987654321`);
    await page.getByText("has forgotten it").waitFor();
}

async function fullQueueIsTold(page) {
    await choose(page, "Pi");
    await field(page, "Strips").fill(String(endless));
    await field(page, "How many of them").fill("10");
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByRole("button", { name: /^Start again in/ }).waitFor();
    assert.match(await page.getByRole("alert").textContent(), /\w/);
    await page.getByRole("button", { name: "Start", exact: true }).waitFor();
    const begun = await page.locator("[data-id]").count();
    assert(begun >= 2, "those before it have not started");
    assert.equal(await field(page, "How many of them").inputValue(), String(10 - begun));
}

async function largeFileIsRefused(page) {
    await choose(page, "Digest");
    await field(page, "File").setInputFiles(makeFile("large", "x".repeat(1_000_000)));
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByRole("alert").filter({ hasText: /large/ }).waitFor();
    await page.getByRole("button", { name: "Start", exact: true }).waitFor();
}

/* The new service counts from 1 again, so its first job has the number of another that the page knows. */
async function serviceComesBack(page, own) {
    const first = await startPi(page, 1000);
    await becomes(page, first, "succeeded");
    await page.route("**/{events,jobs?*}", (route) => route.abort());
    await own.stop("SIGKILL");
    await page.locator("#connection[data-state=offline]").waitFor();
    await page.getByText("What you see may be old").waitFor();
    await becomes(page, first, "succeeded");

    const again = await startService("--port", new URL(own.url).port, "--time-limit-ms", "3600000");
    assert.equal(await post(again.url, { kind: "pi", strips: endless }), first);
    await page.unroute("**/{events,jobs?*}");
    await page.locator("#connection[data-state=live]").waitFor();
    await moves(page, first);
    await again.stop("SIGKILL");
}

const phone = { viewport: { width: 320, height: 640 }, hasTouch: true };
const digests = makeRoot();
service = await startService("--root", root, "--workers", "2", "--time-limit-ms", "3600000");
browser = await startBrowser();
shared = await openPage(browser, service.url, {}, complaints);
const png = await makePicture(browser, "hills.png", "image/png", 1500, 1000);
const jpeg = await makePicture(browser, "hills.jpg", "image/jpeg", 1500, 1000);

await checkPage("no jobs yet, which is said", null, (page) => page.getByText("No jobs yet").waitFor());
await checkPage("pi's bar moves, its result opens", null, piMovesAndOpens);
await checkPage("the table of a folder has the digests of its files", null, folderOpensAsTable);
await checkPage("an uploaded file is digested", null, uploadIsDigested);
await checkPage("an uploaded PNG becomes a small one", null, (page) => pictureIsScaled(page, png, "PNG"));
await checkPage("an uploaded JPEG becomes a small one", null, (page) => pictureIsScaled(page, jpeg, "JPEG"));
await checkPage("of jobs that run and wait those that are cancelled end, the other goes on", null, oneIsCancelled);
await checkPage("crashes tell why they failed, the job beside them succeeds", null, crashHurtsNobody);
await checkPage("the keyboard is enough", null, keysAreEnough);
await checkPage("light: readable, named, not too wide", null, fitsAndIsReadable);
await checkPage("dark: readable, named, not too wide", { colorScheme: "dark" }, fitsAndIsReadable);
await checkPage("320 pixels: readable, named, not too wide", phone, fitsAndIsReadable);
await checkPage("bars slide", { reducedMotion: "no-preference" }, async (page) =>
    assert.deepEqual(await motion(page), [".25s", 1]),
);
await checkPage("where motion is to be reduced, nothing slides", { reducedMotion: "reduce" }, async (page) =>
    assert.deepEqual(await motion(page), ["0s", 0]),
);
await checkPage("little is spoken unasked", null, littleIsSpoken);
await checkPage("a label is text, whatever it looks like", null, textIsText);
await checkPage("a wrong number is told, and has the focus", null, mistakesAreTold);
await checkPage("pages turn", null, pagesTurn);
await checkPage("what runs stays in sight", null, runningStaysInSight);
await checkPage("an answer that comes late undoes nothing", null, olderAnswerUndoesNothing);
await check("without events the page asks", () => withOwnService([], asksWhereNoEventsCome));
await check("a file that is too large is refused", () => withOwnService(["--body-max", "100000"], largeFileIsRefused));
await check("an address opens a job", () => withOwnService([], linkOpens));
const small = ["--workers", "1", "--queued-max", "2", "--time-limit-ms", "3600000"];
await check("a full queue is told, and when to try again", () => withOwnService(small, fullQueueIsTold));
await check("without its service the page says so, and follows when it is back", () =>
    withOwnService([], serviceComesBack),
);
await check("no error on the console, nothing against the policy", async () => assert.deepEqual(complaints, []));

await browser.close();
const status = await service.stop("SIGTERM");
await check("the service ends in good order", async () => assert.equal(status, 0));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0); // and with it a service that a failed test has left
