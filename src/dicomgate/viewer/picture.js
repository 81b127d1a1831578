// Native pixel data into RGBA for a canvas: shades with rescale and window, colour, palettes (PS3.3 C.7.6.3, C.11).

import { binary, first, ofFrame, text } from "./dicomweb.js";

const KINDS = new Set(["MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422"]);

/** What stays the same for all frames of an instance. */
export async function describe(dataset, signal) {
  const kind = text(dataset, "00280004");
  const number = (tag, otherwise) => Number(first(dataset, tag) ?? otherwise);
  const about = {
    kind, rows: number("00280010", 0), columns: number("00280011", 0), samples: number("00280002", 1),
    allocated: number("00280100", 8), stored: number("00280101", number("00280100", 8)),
    signed: number("00280103", 0) === 1, byPlane: number("00280006", 0) === 1,
  };
  if (kind === "PALETTE COLOR") about.palette = await palette(dataset, signal);
  return about;
}

/** True when an instance holds pixel data of whatever kind. */
export function hasPicture(dataset, about) {
  return about.rows > 0 && about.columns > 0 && ["7FE00010", "7FE00008", "7FE00009"].some((tag) => tag in dataset);
}

/** Why native content cannot be drawn; empty when it can. */
export function obstacle(about, content) {
  if (about.kind === "PALETTE COLOR" && !about.palette) return "The palette of this picture is of a kind that cannot be shown yet.";
  if (!KINDS.has(about.kind) || ![1, 8, 16, 32].includes(about.allocated)) {
    return `Pictures in ${about.kind || "this kind"} with ${about.allocated} bits cannot be shown yet.`;
  }
  const samples = about.kind === "YBR_FULL_422" ? 2 : about.samples;
  const needed = (about.rows * about.columns * samples * about.allocated) / 8;
  return content.byteLength < needed ? "This picture is shorter than its header says." : "";
}

async function palette(dataset, signal) {
  const tables = [];
  for (const [descriptor, data] of [["00281101", "00281201"], ["00281102", "00281202"], ["00281103", "00281203"]]) {
    const [count, start, bits] = dataset[descriptor]?.Value ?? [];
    const content = await binary(dataset[data], signal);
    if (!content) return null;
    const length = count || 65536;
    const wide = content.byteLength >= 2 * length;
    const entries = wide ? new Uint16Array(content, 0, length) : new Uint8Array(content);
    tables.push({ start, shades: Uint8Array.from(entries, (entry) => (bits > 8 && wide ? entry >> 8 : entry)) });
  }
  return tables;
}

/** Centre and width to begin with: as the data set says, else from what the frame holds. */
export function windowOf(dataset, frame, about, values) {
  const [centre] = ofFrame(dataset, frame, "00281050");
  const [width] = ofFrame(dataset, frame, "00281051");
  if (Number(width) >= 1) return { centre: Number(centre), width: Number(width) };
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { centre: (low + high) / 2, width: Math.max(high - low, 1) };
}

/** Shades of one frame, after rescale. */
export function shades(dataset, frame, about, content) {
  const count = about.rows * about.columns;
  const raw = numbers(about, content, count);
  const slope = Number(ofFrame(dataset, frame, "00281053")[0] ?? 1);
  const intercept = Number(ofFrame(dataset, frame, "00281052")[0] ?? 0);
  const unused = 32 - about.stored;
  return Float32Array.from(raw, (value) => {
    const bits = value << unused; // overlay bits above the stored ones fall out
    return (about.signed ? bits >> unused : bits >>> unused) * slope + intercept;
  });
}

function numbers(about, content, count) {
  if (about.allocated === 1) {
    const packed = new Uint8Array(content);
    return Uint8Array.from({ length: count }, (_, place) => (packed[place >> 3] >> (place & 7)) & 1);
  }
  return new { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array }[about.allocated](content, 0, count);
}

/** RGBA of shades in a window, by the linear function of C.11.2.1.2. */
export function drawShades(target, about, values, { centre, width }) {
  const low = centre - 0.5 - (width - 1) / 2;
  const scale = 255 / Math.max(width - 1, 1e-6);
  const flip = about.kind === "MONOCHROME1" ? 255 : 0;
  const pixels = new Uint32Array(target.buffer);
  for (let place = 0; place < pixels.length; place++) {
    const shade = Math.max(0, Math.min(255, Math.round((values[place] - low) * scale))) ^ flip;
    pixels[place] = 0xff000000 | (shade << 16) | (shade << 8) | shade;
  }
}

/** RGBA of a colour frame. */
export function drawColour(target, about, content) {
  const count = about.rows * about.columns;
  if (about.palette) {
    const indices = numbers(about, content, count);
    about.palette.forEach(({ start, shades: table }, channel) => {
      for (let place = 0; place < count; place++) {
        target[4 * place + channel] = table[Math.max(0, Math.min(table.length - 1, indices[place] - start))];
      }
    });
  } else {
    const source = new Uint8Array(content);
    for (let place = 0; place < count; place++) {
      for (let channel = 0; channel < 3; channel++) target[4 * place + channel] = source[offset(about, place, channel, count)];
      if (about.kind !== "RGB") toRGB(target, 4 * place);
    }
  }
  for (let place = 3; place < target.length; place += 4) target[place] = 255;
}

function offset(about, place, channel, count) {
  if (about.kind === "YBR_FULL_422") return channel === 0 ? 2 * (place & ~1) + (place & 1) : 2 * (place & ~1) + 1 + channel;
  return about.byPlane ? channel * count + place : 3 * place + channel;
}

function toRGB(target, at) {
  const [y, blue, red] = [target[at], target[at + 1] - 128, target[at + 2] - 128];
  target[at] = y + 1.402 * red; // the array clamps and rounds
  target[at + 1] = y - 0.344136 * blue - 0.714136 * red;
  target[at + 2] = y + 1.772 * blue;
}
