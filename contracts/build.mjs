#!/usr/bin/env node
// Compiles the contracts with solcjs and writes the artifacts that the Python package ships.
//
//   node contracts/build.mjs           write them
//   node contracts/build.mjs --check   compile again and name every file that differs; exit 1 if any does
//
// A folder contracts/src/<vertical>/ is all a new vertical needs; `core` belongs to the chain package.

import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const solc = createRequire(import.meta.url)("solc");
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

// As in foundry.toml. Without a metadata hash the bytecode depends on neither paths nor comments.
const SETTINGS = {
  evmVersion: "cancun",
  metadata: { bytecodeHash: "none" },
  optimizer: { enabled: true, runs: 200 },
  viaIR: true,
};

// One job is one run of the compiler: a folder's artifacts do not depend on what other folders hold.
function jobs() {
  const folders = readdirSync(join(ROOT, "contracts/src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  const list = folders.map((folder) => ({
    sources: solidityFiles(`contracts/src/${folder}`),
    artifacts: folder === "core" ? "src/affiant/chain/artifacts" : `src/affiant/verticals/${folder}/artifacts`,
  }));
  // What the benchmark compares a mandate with.
  list.push({ sources: ["contracts/test/OneSignatureWallet.sol"], artifacts: "bench/artifacts" });
  return list;
}

function solidityFiles(folder) {
  return readdirSync(join(ROOT, folder), { recursive: true })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".sol"))
    .sort();
}

function compile(paths) {
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(paths.map((path) => [path, { content: readFileSync(join(ROOT, path), "utf8") }])),
    settings: {
      ...SETTINGS,
      outputSelection: {
        "*": {
          "": ["ast"],
          "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode", "storageLayout"],
        },
      },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
  const problems = output.errors ?? [];
  if (problems.length > 0) {
    throw new Error(problems.map((problem) => problem.formattedMessage).join("\n"));
  }
  return output;
}

function readImport(path) {
  const file = join(ROOT, path.startsWith("@openzeppelin/") ? `node_modules/${path}` : path);
  return existsSync(file) ? { contents: readFileSync(file, "utf8") } : { error: `no such file: ${path}` };
}

// Only what can be deployed: no interface, library or abstract contract.
function deployable(output, path) {
  return output.sources[path].ast.nodes
    .filter((node) => node.nodeType === "ContractDefinition" && node.contractKind === "contract" && !node.abstract)
    .map((node) => node.name);
}

function artifact(output, path, name) {
  const contract = output.contracts[path][name];
  const { object, immutableReferences } = contract.evm.deployedBytecode;
  return {
    contract: name,
    abi: contract.abi,
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployedBytecode: `0x${object}`,
    storageLayout: withoutIds(contract.storageLayout),
    immutableReferences: byName(immutableReferences ?? {}, names(output)),
    compiler: { version: solc.version().replace(/\.Emscripten.*/, ""), settings: SETTINGS },
  };
}

// The compiler numbers its syntax tree, and the numbers change with every edit anywhere: leave them out.
function withoutIds(layout) {
  const text = JSON.stringify(layout, (key, value) => (key === "astId" ? undefined : value));
  return JSON.parse(text.replace(/(t_(?:struct|contract|enum|userDefinedValueType)\(\w+\))\d+/g, "$1"));
}

function byName(references, nameOf) {
  return Object.fromEntries(Object.entries(references).map(([id, places]) => [nameOf.get(Number(id)), places]));
}

function names(output) {
  const found = new Map();
  const visit = (node) => {
    if (Array.isArray(node)) node.forEach(visit);
    else if (node && typeof node === "object") {
      if (node.nodeType === "VariableDeclaration") found.set(node.id, node.name);
      Object.values(node).forEach(visit);
    }
  };
  Object.values(output.sources).forEach((source) => visit(source.ast));
  return found;
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

function build() {
  const files = new Map();
  const folders = [];
  for (const job of jobs()) {
    folders.push(job.artifacts);
    const output = compile(job.sources);
    for (const path of job.sources) {
      for (const name of deployable(output, path)) {
        const file = `${job.artifacts}/${name}.json`;
        if (files.has(file)) throw new Error(`two contracts are called ${name}`);
        files.set(file, `${JSON.stringify(sorted(artifact(output, path, name)), null, 1)}\n`);
      }
    }
  }
  return { files, folders };
}

function leftovers(files, folders) {
  return folders
    .filter((folder) => existsSync(join(ROOT, folder)))
    .flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`))
    .filter((file) => file.endsWith(".json") && !files.has(file));
}

function isCurrent(file, text) {
  return existsSync(join(ROOT, file)) && readFileSync(join(ROOT, file), "utf8") === text;
}

const { files, folders } = build();
const stale = [...files].filter(([file, text]) => !isCurrent(file, text)).map(([file]) => file);
const extra = leftovers(files, folders);

if (process.argv.includes("--check")) {
  stale.forEach((file) => console.error(`differs: ${file}`));
  extra.forEach((file) => console.error(`has no source: ${file}`));
  if (stale.length + extra.length > 0) process.exit(1);
  console.log(`${files.size} artifacts are what the sources compile to`);
} else {
  for (const file of stale) {
    mkdirSync(join(ROOT, dirname(file)), { recursive: true });
    writeFileSync(join(ROOT, file), files.get(file));
    console.log(`wrote ${relative(".", join(ROOT, file))}`);
  }
  for (const file of extra) {
    unlinkSync(join(ROOT, file));
    console.log(`removed ${relative(".", join(ROOT, file))}`);
  }
  if (stale.length + extra.length === 0) console.log("nothing changed");
}
