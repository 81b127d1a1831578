// The public DICOMweb services, as this page uses them (PS3.18 §10): search, metadata, native frames, bulk data.

export const ROOT = new URL("dicomweb", document.baseURI).href;

/** A search gives data sets in the DICOM JSON model; nothing found is an empty list. */
export async function search(path, parameters, signal) {
  const answer = await fetch(`${ROOT}${path}?${new URLSearchParams(parameters)}`, { headers: { Accept: "application/dicom+json" }, signal });
  if (!answer.ok) throw new Error(await complaint(answer));
  return answer.status === 204 ? [] : answer.json();
}

const NATIVE = /^1\.2\.840\.10008\.1\.2(\.1(\.99)?)?$/;

/** Bytes in native encoding, or null when the server can only give compressed ones. */
export async function bytes(address, signal) {
  const answer = await fetch(address, { headers: { Accept: "application/octet-stream" }, signal });
  if (answer.status === 406) return null;
  if (!answer.ok) throw new Error(await complaint(answer));
  const [, syntax] = /transfer-syntax="?([0-9.]+)/.exec(answer.headers.get("Content-Type") ?? "") ?? [];
  return syntax && !NATIVE.test(syntax) ? null : answer.arrayBuffer();
}

async function complaint(answer) {
  const text = (answer.headers.get("Content-Type") ?? "").includes("json") ? (await answer.json()).detail : "";
  return `The server answered ${answer.status}${text ? `: ${text}` : "."}`;
}

export const values = (dataset, tag) => dataset?.[tag]?.Value ?? [];
export const first = (dataset, tag) => values(dataset, tag)[0];
export const text = (dataset, tag) => String(first(dataset, tag) ?? "");

/** A value that an enhanced instance keeps in its functional groups, a classic one at the top (PS3.3 C.7.6.16). */
export function ofFrame(dataset, number, tag) {
  const groups = [values(dataset, "52009230")[number - 1], first(dataset, "52009229")];
  for (const group of groups) {
    for (const macro of Object.values(group ?? {})) {
      const item = macro.Value?.[0];
      if (item && typeof item === "object" && item[tag]?.Value) return item[tag].Value;
    }
  }
  return values(dataset, tag);
}

/** A person's name for reading: the alphabetic form, and the ideographic one if there is one. */
export function personName(dataset, tag) {
  const name = first(dataset, tag) ?? {};
  const plain = (part) => (part ?? "").split("^").filter(Boolean).join(" ");
  return [plain(name.Alphabetic), plain(name.Ideographic)].filter(Boolean).join("  ") || "No name";
}

/** 20250114 as 2025-01-14; anything else as it is. */
export function date(dataset, tag) {
  return text(dataset, tag).replace(/^(\d{4})(\d{2})(\d{2})$/, "$1-$2-$3");
}

/** A binary value, wherever the metadata has it. */
export async function binary(element, signal) {
  if (element?.InlineBinary) return Uint8Array.from(atob(element.InlineBinary), (character) => character.charCodeAt(0)).buffer;
  return element?.BulkDataURI ? bytes(element.BulkDataURI, signal) : null;
}
