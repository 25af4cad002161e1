// SPDX-License-Identifier: Apache-2.0
// Does llama.cpp (node-llama-cpp) open what `halftone export --to gguf` writes, and go on as halftone does with the same file?
//   node agree.mjs MODEL [types, q4_0,q4_k,...] [decode tokens]
// MODEL is a folder with a tokenizer. Both continue a prompt greedily; halftone on exact activations, llama.cpp on its own (it
// rounds activations to 8 bits for quantized types), so a near tie may part them: the table shows where.
import {execFile} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {fileURLToPath} from "node:url";
import {promisify} from "node:util";

const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
const halftone = process.env.HALFTONE ?? path.join(here, "../../build/release/halftone");
const [model, typeList = "f32,f16,bf16,q8_0,q6_k,q5_k,q5_1,q5_0,q4_k,q4_1,q4_0", count = "48"] = process.argv.slice(2);
if (!model) throw new Error("expected MODEL [types] [decode tokens]");

const work = fs.mkdtempSync(path.join(os.tmpdir(), "halftone-agree-"));
process.env.HALFTONE_CACHE = path.join(work, "cache");
const json = async (...words) => JSON.parse((await run(halftone, [...words, "--quiet", "--json", "-"], {maxBuffer: 1 << 28})).stdout);

try {
  const prompt = process.env.PROMPT ?? "The weather in the north is";
  fs.writeFileSync(path.join(work, "prompt.txt"), prompt);
  const ids = (await json("inspect", model, "--tokens", path.join(work, "prompt.txt"))).results.tokens;
  let parted = 0;
  for (const type of typeList.split(",")) {
    const file = path.join(work, `m-${type}.gguf`);
    const report = (await json("export", model, "--to", "gguf", "--type", type, "-o", file, "--allow-float")).results;
    const ours = (await json("run", file, "-p", prompt, "--temperature", "0", "--max-tokens", count, "--activations", "exact")).results.tokens;
    const settings = JSON.stringify({prompt_ids: ids, decode_tokens: ours.length});
    const {stdout} = await run("node", [path.join(here, "llama_cpp.mjs"), file, settings], {maxBuffer: 1 << 28});
    const theirs = JSON.parse(stdout.trim().split("\n").pop()).tokens;
    let same = 0;
    while (same < ours.length && ours[same] === theirs[same]) ++same;
    if (same < ours.length) ++parted;
    const worst = Math.max(...report.tensors.map((tensor) => tensor.relative_rms_error));
    console.log(`${type.padEnd(6)} ${String(report.file_bytes).padStart(12)} bytes  worst error ${(100 * worst).toFixed(3).padStart(7)} %  ` +
                `same tokens ${same} of ${ours.length}`);
    fs.rmSync(file);
  }
  process.exitCode = parted > 0 ? 1 : 0;
} finally {
  fs.rmSync(work, {recursive: true, force: true});
}
