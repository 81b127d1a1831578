// One series as a stack of frames: which there are, in which order, and their bytes, kept while they are likely wanted.

import { ROOT, bytes, first, ofFrame, values } from "./dicomweb.js";

const MOST_FRAMES = 100_000;
const MOST_KEPT = 256 * 1024 * 1024;

/** The frames of a series from its metadata, in space if the slices tell where they are, else by instance number. */
export function framesOf(metadata) {
  const placed = metadata.map((dataset) => ({ dataset, height: height(dataset), number: Number(first(dataset, "00200013") ?? 0) }));
  const inSpace = placed.every(({ height: known }) => known !== null);
  placed.sort((one, other) => (inSpace && one.height - other.height) || one.number - other.number);
  return placed.flatMap(({ dataset }) => Array.from({ length: frameCount(dataset) }, (_, place) => ({ dataset, frame: place + 1 })));
}

/** What Number of Frames says, if that is believable. */
function frameCount(dataset) {
  const count = Math.trunc(Number(first(dataset, "00280008") ?? 1));
  return count >= 1 ? Math.min(count, MOST_FRAMES) : 1;
}

/** How far a slice lies along the normal of its plane. */
function height(dataset) {
  const [a, b, c, d, e, f] = values(dataset, "00200037").map(Number);
  const [x, y, z] = values(dataset, "00200032").map(Number);
  if (f === undefined || z === undefined) return null;
  return x * (b * f - c * e) + y * (c * d - a * f) + z * (a * e - b * d);
}

export class Stack {
  #kept = new Map();
  #size = 0;
  #stop = new AbortController();

  constructor(study, series, metadata) {
    this.address = `${ROOT}/studies/${study}/series/${series}`;
    this.frames = framesOf(metadata);
  }

  get signal() {
    return this.#stop.signal;
  }

  /** Milliseconds between frames when the instance is a clip, else 0. */
  get pause() {
    const { dataset } = this.frames[0] ?? {};
    return dataset && frameCount(dataset) > 1 ? Number(ofFrame(dataset, 1, "00181063")[0] ?? 100) : 0;
  }

  /** The bytes of a frame; null when only compressed ones can be had. The next ones are fetched ahead. */
  content(place) {
    for (const ahead of [1, 2, 3, -1]) if (this.frames[place + ahead]) this.#fetch(place + ahead).catch(() => {});
    return this.#fetch(place);
  }

  #fetch(place) {
    let wanted = this.#kept.get(place);
    this.#kept.delete(place); // and back in at the end: the one not wanted for longest is first
    if (!wanted) {
      const { dataset, frame } = this.frames[place];
      wanted = bytes(`${this.address}/instances/${first(dataset, "00080018")}/frames/${frame}`, this.signal);
      wanted.then((content) => this.#count(place, content), () => this.#kept.delete(place));
    }
    this.#kept.set(place, wanted);
    return wanted;
  }

  #count(place, content) {
    this.#size += content?.byteLength ?? 0;
    for (const [old, promise] of this.#kept) {
      if (this.#size <= MOST_KEPT || old === place) break;
      this.#kept.delete(old);
      promise.then((gone) => (this.#size -= gone?.byteLength ?? 0));
    }
  }

  close() {
    this.#stop.abort();
  }
}
