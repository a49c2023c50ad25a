// Chromium comes in its package as Brotli streams: they go to `node_modules/chromium`, once.
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const here = import.meta.dirname;
const require = createRequire(import.meta.url);
const packed = join(here, "node_modules", "@sparticuz", "chromium", "bin");
const unpacked = join(here, "node_modules", "chromium");
mkdirSync(unpacked, { recursive: true });

async function unpack(name, target, mode) {
  const made = join(unpacked, target);
  if (!existsSync(made)) {
    await pipeline(createReadStream(join(packed, name)), createBrotliDecompress(), createWriteStream(made + ".part", { mode }));
    renameSync(made + ".part", made);
  }
  return made;
}

const tar = require("tar-fs");
for (const name of ["al2023", "fonts", "swiftshader"]) {
  await pipeline(createReadStream(await unpack(name + ".tar.br", name + ".tar", 0o644)), tar.extract(join(unpacked, name)));
}
await unpack("chromium.br", "chromium", 0o755);
