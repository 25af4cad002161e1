// SPDX-License-Identifier: Apache-2.0
// The windows of tokens that a text suite of `halftone validate` scores, so that another runtime scores the same.
import {createHash} from "node:crypto";
import fs from "node:fs";
import path from "node:path";

import {halftone} from "./shared.mjs";

// What prepare.cc calls a window: its hash, which is also its name among the samples.
const identity = (window) => createHash("sha256").update(window.join(" ")).digest("hex").slice(0, 16);

// Consecutive windows of `size` tokens, the begin token first in each; what is left at the end is a shorter one.
function cut(ids, size, begin) {
  const windows = [], room = size - begin.length;
  for (let at = 0; at < ids.length; at += room) windows.push([...begin, ...ids.slice(at, at + room)]);
  return windows.filter((window) => window.length >= 2);
}

// A suite of at most `count` windows (0: all), chosen by their hash as every suite's samples are.
export function writeSuite(options, size) {
  const file = path.join(options.work, "replicate-suite.yaml");
  const lines = ["name: replicate", "task: divergence", `file: ${JSON.stringify(path.resolve(options.text))}`, `window: ${size}`,
                 "answer_tokens: 0"];
  if (options.windows > 0) lines.push(`max_samples: ${options.windows}`);
  fs.writeFileSync(file, lines.join("\n") + "\n");
  return file;
}

// The tokens of each sample that `halftone validate` wrote, in its order; an error when they cannot be told.
export async function windowsOf(options, model, size, samples) {
  const ids = (await halftone(options, "inspect", model, "--tokens", options.text)).trim().split(/\s+/).map(Number);
  for (const begin of [ids.slice(0, 1), []]) { // with the begin token, and of models that have none
    const windows = new Map(cut(ids.slice(begin.length), size, begin).map((window) => [identity(window), window]));
    const found = samples.map((sample) => windows.get(sample.id.slice(0, 16)));
    if (found.every((window, i) => window !== undefined && window.length - 1 === samples[i].tokens)) return found;
  }
  throw new Error(`${options.text}: expected the windows that halftone scored, got others from its tokens`);
}
