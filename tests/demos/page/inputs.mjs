/*
 * inputs.mjs - the files that the jobs get, in the folder of the test. The browser paints the pictures.
 */
import { createHash } from "node:crypto";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.env.SCRATCH;
export const root = join(folder, "root");

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/* A folder `small` whose files have these names, and a folder `huge` with a file that takes long: a hole. */
export function makeRoot() {
    const names = ["a.txt", "back\\slash", "<b>bold & more", "\u6f22\u5b57", "deep/er/file"];
    mkdirSync(join(root, "small/deep/er"), { recursive: true });
    mkdirSync(join(root, "huge"));
    for (const name of names) writeFileSync(join(root, "small", name), `content of ${name}`);
    writeFileSync(join(root, "huge/hole"), "");
    truncateSync(join(root, "huge/hole"), 16 * 2 ** 30);
    return new Map(names.map((name) => [name, sha256(`content of ${name}`)]));
}

export function makeFile(name, content) {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
}

/* A picture of some megapixels: a sky, hills before it, and a sun. */
export async function makePicture(browser, name, type, width, height) {
    const page = await browser.newPage();
    const base64 = await page.evaluate(paint, [type, width, height]);
    await page.close();
    return makeFile(name, Buffer.from(base64, "base64"));
}

// Runs in the browser.
async function paint([type, width, height]) {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    const sky = context.createLinearGradient(0, 0, 0, height);
    sky.addColorStop(0, "#20508f");
    sky.addColorStop(0.7, "#f3b27a");
    context.fillStyle = sky;
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#fff1c9";
    context.beginPath();
    context.arc(width * 0.7, height * 0.45, height * 0.09, 0, 7);
    context.fill();
    ["#6d6f9c", "#4a5580", "#2b3759", "#172038"].forEach((color, i) => {
        context.fillStyle = color;
        context.beginPath();
        context.moveTo(0, height);
        for (let x = 0; x <= width; x += 8) {
            const hill = Math.sin((x / width) * (5 + 2 * i) + 2 * i) + 0.4 * Math.sin((x / width) * 17 + i);
            context.lineTo(x, height * (0.62 + 0.09 * i - 0.07 * hill));
        }
        context.lineTo(width, height);
        context.fill();
    });
    const bytes = new Uint8Array(await (await canvas.convertToBlob({ type })).arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 30000) text += String.fromCharCode(...bytes.subarray(i, i + 30000));
    return btoa(text);
}
