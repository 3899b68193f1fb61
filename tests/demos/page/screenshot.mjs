/*
 * screenshot.mjs FILE - the picture of docs/service.md, from a real run: the list of jobs in a window, light, beside an
 * opened job on a phone, dark.
 */
import { openPage, post, startBrowser, startService } from "./browser.mjs";
import { makePicture, makeRoot, root } from "./inputs.mjs";

makeRoot();
const service = await startService("--root", root, "--workers", "3", "--time-limit-ms", "3600000");
const browser = await startBrowser();
const complaints = [];

async function upload(page, path) {
    await page.getByRole("radio", { name: "Thumbnail" }).check();
    await page.locator("#thumbnail-file").setInputFiles(path);
    await page.locator("#thumbnail-size").fill("640");
    await page.getByRole("button", { name: "Start" }).click();
    await page.locator('[data-state="succeeded"]').first().waitFor();
    return page.locator('[data-state="succeeded"]').first().getAttribute("data-id");
}

const becomes = (page, id, state) => page.locator(`[data-id="${id}"][data-state="${state}"]`).waitFor();

/* Waits until this part of a bar is filled. */
const filled = (page, id, part) => page.waitForFunction(([id, part]) => window.bars[id]?.at(-1) >= part, [id, part]);

const page = await openPage(browser, service.url, { viewport: { width: 1080, height: 780 } }, complaints);
const picture = await upload(page, await makePicture(browser, "evening over the hills.png", "image/png", 3000, 2000));
await becomes(page, await post(service.url, { kind: "digest", path: "small", label: "small" }), "succeeded");
await becomes(page, await post(service.url, { kind: "crash", label: "on purpose" }), "failed");
const bars = [];
for (const [strips, part] of [
    [1.2e9, 0.62],
    [1.8e9, 0.4],
]) {
    bars.push([await post(service.url, { kind: "pi", strips, label: `${strips.toLocaleString("en")} strips` }), part]);
}
bars.push([await post(service.url, { kind: "digest", path: "huge", label: "backups" }), 0.01]);
await post(service.url, { kind: "thumbnail", path: "small/a.txt", label: "cat.jpg" });
for (const [id, part] of bars) await filled(page, id, part);
await page.getByRole("radio", { name: "Pi", exact: true }).check();
await page.mouse.move(0, 0);
const light = await page.screenshot();

const phone = { viewport: { width: 360, height: 780 }, colorScheme: "dark" };
const opened = await openPage(browser, `${service.url}#job-${picture}`, phone, complaints);
await opened
    .getByRole("dialog")
    .getByRole("img")
    .evaluate((element) => element.decode());
const dark = await opened.screenshot();

const frame = await browser.newPage({ viewport: { width: 1500, height: 828 } });
const image = (png) =>
    `<img src="data:image/png;base64,${png.toString("base64")}" style="border-radius:12px;box-shadow:0 0 0 1px #8888">`;
await frame.setContent(
    `<body style="margin:0;padding:24px;display:flex;gap:24px;background:#cfd6df">${image(light)}${image(dark)}`,
);
await frame
    .locator("img")
    .last()
    .evaluate((element) => element.decode());
await frame.screenshot({ path: process.argv[2] });

await browser.close();
await service.stop("SIGKILL");
if (complaints.length > 0) throw new Error(complaints.join("\n"));
