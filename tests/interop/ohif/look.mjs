// Opens one page of OHIF in a real browser, does what a person would do there, and tells what was seen.
//
//     node look.mjs FOLDER < task.json
//
// FOLDER holds playwright-core; the task: {browser, url, shots, steps: [{do, ...}]}. Answers {steps: [...], failed: [...]} as JSON.
// Nothing waits for a time: each step waits until what it expects is on the screen, PATIENCE at most.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const { chromium } = createRequire(`${process.argv[2]}/`)('./playwright-core');
const task = JSON.parse(readFileSync(0, 'utf8'));
const PATIENCE = Number(process.env.OHIF_PATIENCE ?? 90_000);
const FLAGS = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'];

const browser = await chromium.launch({ executablePath: task.browser, args: FLAGS });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
await context.addInitScript(() => window.top === window && localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour'])));
const scale = await context.newPage(); // decodes screenshots
const page = await context.newPage();
const failed = [];
const asked = [];
page.on('pageerror', error => failed.push(`page: ${String(error).slice(0, 300)}`));
page.on('requestfinished', async request => asked.push([request.url(), (await request.response())?.status() ?? 0]));
page.on('response', response => { if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`); });
page.on('requestfailed', request => {
  // What the page itself calls off when it has moved on is no failure.
  if (!/ERR_ABORTED/.test(request.failure()?.errorText ?? '')) failed.push(`${request.failure()?.errorText} ${request.url()}`);
});

const until = async (what, test) => {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const seen = await test();
    if (seen.enough) return seen;
    if (Date.now() > end) throw new Error(`${what}: ${JSON.stringify(seen)}`);
    await page.waitForTimeout(200);
  }
};

// A part of the screen as numbers: how many different colours, how many pixels that are neither grey nor the page's own blue.
const measure = async locator => {
  const shot = await locator.screenshot();
  const numbers = await scale.evaluate(async encoded => {
    const bytes = Uint8Array.from(atob(encoded), letter => letter.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    const context = canvas.getContext('2d');
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, picture.width, picture.height);
    const colours = new Set();
    let bright = 0, warm = 0, hash = 0;
    for (let at = 0; at < data.length; at += 4) {
      const [red, green, blue] = [data[at], data[at + 1], data[at + 2]];
      colours.add((red << 16) | (green << 8) | blue);
      if (red + green + blue > 90) bright += 1;
      if (red > green + 40 && red > blue + 40) warm += 1;
      hash = (Math.imul(hash, 31) + red + green * 3 + blue * 7) | 0;
    }
    const pixels = data.length / 4;
    return { colours: colours.size, bright: bright / pixels, warm: warm / pixels, hash };
  }, shot.toString('base64'));
  return numbers;
};

const DEEDS = {
  text: async step => until(`text ${step.text}`, async () => {
    const body = await page.evaluate(() => document.body.innerText);
    return { enough: step.text.every(text => body.includes(text)), body: body.slice(0, 3000) };
  }),
  picture: async step => until(`picture in ${step.at}`, async () => {
    const locator = page.locator(step.at).first();
    if (!(await locator.count())) return { enough: false };
    const seen = await measure(locator);
    const { colours = 0, bright = 0, warm = 0, unlike = null } = step;
    return { ...seen, enough: seen.colours >= colours && seen.bright >= bright && seen.warm >= warm && seen.hash !== unlike };
  }),
  wheel: async step => {
    const box = await page.locator(step.at).first().boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    for (let turn = 0; turn < step.turns; turn += 1) await page.mouse.wheel(0, 100);
    return {};
  },
  type: async step => { await page.locator(step.at).first().fill(step.text); return {}; },
  open: async step => { await page.locator(step.at).filter({ hasText: step.text }).first().dblclick(); return {}; },
  asked: async step => until(`request ${step.address}`, async () => {
    const found = asked.find(([url]) => url.includes(step.address));
    return { enough: found !== undefined, status: found?.[1] };
  }),
};

const steps = [];
let error = null;
try {
  await page.goto(task.url, { waitUntil: 'domcontentloaded', timeout: PATIENCE });
  for (const step of task.steps) steps.push(await DEEDS[step.do](step));
} catch (caught) {
  error = String(caught).slice(0, 2000);
}
await page.screenshot({ path: task.shot });
await browser.close();
process.stdout.write(JSON.stringify({ steps, failed, error, asked: asked.map(([url, status]) => `${status} ${url}`) }));
