// SPDX-License-Identifier: Apache-2.0
// Programs of llama.cpp's kin that the user built: llama-bench and llama-perplexity on the GGUF files the other rows use.
import {spawn} from "node:child_process";
import fs from "node:fs";
import path from "node:path";

// "PATH" or "NAME=PATH", several with commas; the name of a row defaults to the program's.
export function parsePrograms(text, option) {
  return text.split(",").filter((entry) => entry !== "").map((entry) => {
    const [, name, file] = /^(?:([^=/]+)=)?(.+)$/.exec(entry);
    if (!fs.existsSync(file)) throw new Error(`${option}: expected a program, got ${file}, which does not exist`);
    return {name: name ?? path.basename(file), file: path.resolve(file)};
  });
}

// Runs a program to its end; with the most private memory it was seen to hold, where the system tells.
function watch(file, words) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, words, {stdio: ["ignore", "pipe", "pipe"]});
    let stdout = "", stderr = "", privateBytes = null;
    const timer = setInterval(() => {
      try {
        const kilobytes = /^RssAnon:\s*(\d+)/m.exec(fs.readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
        if (kilobytes !== undefined) privateBytes = Math.max(privateBytes ?? 0, Number(kilobytes) * 1024);
      } catch { /* not Linux, or it has ended */ }
    }, 20);
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    child.on("error", (error) => (clearInterval(timer), reject(error)));
    child.on("close", (code) => {
      clearInterval(timer);
      if (code === 0) return resolve({stdout, stderr, privateBytes});
      reject(new Error(`${path.basename(file)} ended with ${code}: ${stderr.trim().split("\n").slice(-2).join(" ")}`));
    });
  });
}

export async function measureNative(options, file, gguf) {
  const {stdout, privateBytes} = await watch(file, ["-m", gguf, "-t", `${options.threads}`, "-p", `${options.promptTokens}`,
                                                    "-n", `${options.decodeTokens}`, "-r", "1", "-ngl", "0", "-o", "json"]);
  const tests = JSON.parse(stdout);
  const speed = (key, other) => tests.find((test) => test[key] > 0 && test[other] === 0)?.avg_ts ?? null;
  return {prefill_tokens_per_second: speed("n_prompt", "n_gen"), decode_tokens_per_second: speed("n_gen", "n_prompt"),
          private_bytes: privateBytes, release: tests[0]?.build_commit};
}

// Its own windows, of which it scores the second half: KL and the change are those of its own float run on them; its
// perplexity is not that of the other rows. `ggufs`: file by type, f16 among them. Gives figures by type.
export async function nativeQuality(options, file, ggufs, size) {
  const base = path.join(options.work, "native-float.kld");
  const words = ["-f", options.text, "-t", `${options.threads}`, "-c", `${size}`, "-b", `${size}`, "-ngl", "0", "--kl-divergence-base", base];
  if (options.windows > 0) words.push("--chunks", `${options.windows}`);
  const read = (text, pattern) => {
    const found = new RegExp(`${pattern}(-?\\d+(?:\\.\\d+)?(?:e-?\\d+)?)`).exec(text)?.[1];
    if (found === undefined) throw new Error(`expected a line like /${pattern}/ from ${path.basename(file)}, got none; another version of it?`);
    return Number(found);
  };
  const result = {};
  try {
    const float = await watch(file, ["-m", ggufs.f16, ...words]);
    result.f16 = {perplexity: read(float.stdout + float.stderr, "Final estimate: PPL = "), own_windows: true};
    for (const [type, gguf] of Object.entries(ggufs)) {
      if (type === "f16") continue;
      const {stdout, stderr} = await watch(file, ["-m", gguf, ...words, "--kl-divergence"]);
      const text = stdout + stderr;
      result[type] = {perplexity: read(text, "Mean PPL\\(Q\\)\\s*:\\s*"), kl: read(text, "Mean\\s+KLD\\s*:\\s*"),
                      log_perplexity_change: read(text, "Mean ln\\(PPL\\(Q\\)/PPL\\(base\\)\\)\\s*:\\s*"),
                      kl_p999: read(text, "99\\.9%\\s+KLD\\s*:\\s*"), same_top: read(text, "Same top p\\s*:\\s*") / 100, own_windows: true};
    }
  } finally {
    fs.rmSync(base, {force: true});
  }
  return result;
}
