/*
 * browser.mjs - the service and a browser, for test.mjs and screenshot.mjs.
 *
 * Nothing here waits for a time: Playwright's time limits are off, and a service that ends when it should not ends the
 * test.
 */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { recordBars } from "./inside.mjs";

const { chromium } = createRequire(join(process.env.CONTROLS, "package.json"))("playwright-core");

let loads = 0;
const started = new Set();
process.on("exit", () => started.forEach((child) => child.kill("SIGKILL")));

/*
 * A running service: { url, stop() }; stop(signal) resolves to its exit status. It listens on a free port unless the
 * options name one.
 */
export async function startService(...options) {
    const child = spawn(process.env.SERVICE, ["--port", "0", ...options], { stdio: ["ignore", "pipe", "inherit"] });
    const gone = new Promise((resolve) => child.once("close", resolve));
    let stopping = false;
    started.add(child);
    gone.then((status) => {
        started.delete(child);
        if (stopping) return;
        console.log(`FAIL  the service has ended: status ${status}, signal ${child.signalCode}`);
        process.exit(1);
    });
    const lines = createInterface({ input: child.stdout });
    const url = await new Promise((resolve) => lines.once("line", resolve));
    return {
        url,
        async stop(signal) {
            stopping = true;
            child.kill(signal);
            return gone;
        },
    };
}

/* The system's Chromium. Its sandbox does not work for root, who alone goes without. */
export function startBrowser() {
    return chromium.launch({
        executablePath: process.env.CHROMIUM,
        chromiumSandbox: process.getuid() !== 0,
        timeout: 0,
    });
}

/*
 * A window of its own, with the page in it, connected. What the browser complains of goes into `complaints`: errors,
 * exceptions, and violations of the content security policy.
 */
export async function openPage(browser, url, options, complaints) {
    const context = await browser.newContext({
        viewport: { width: 1100, height: 800 },
        colorScheme: "light",
        ...options,
    });
    context.setDefaultTimeout(0);
    const page = await context.newPage();
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.addInitScript(recordBars);
    await page.exposeFunction("violates", (what) => complaints.push(what));
    await page.addInitScript(() => {
        addEventListener("securitypolicyviolation", (event) =>
            window.violates(`policy: ${event.violatedDirective} ${event.blockedURI}`),
        );
    });
    await load(page, url);
    return page;
}

/* Loads the page; the number makes it another address than that of the last time. */
export async function load(page, url) {
    const address = new URL(url);
    address.search = ++loads;
    await page.goto(address.href);
    await page.locator("#connection[data-state=live]").waitFor();
}

/* Starts a job behind the page's back; its ID. */
export async function post(url, parameters) {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${url}jobs`, { method: "POST", headers, body: JSON.stringify(parameters) });
    return (await answer.json()).id;
}
