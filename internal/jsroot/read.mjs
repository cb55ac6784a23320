// Reads all branches of numbers and of arrays of numbers of a tree with JSROOT.
//
//   node read.mjs MODULES FILE.root TREE OUT
//
// MODULES is the folder of JSROOT's modules.
// OUT starts with one line of JSON, [{"name": …, "count": …, "lengths": …}, …]; the
// values of each branch follow in that order, as little-endian float64. lengths has
// the number of values of each entry if they are arrays.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, name, treeName, out] = process.argv.slice(2);
const { openFile } = await import(pathToFileURL(join(modules, 'io.mjs')));
const { TSelector, treeProcess } = await import(pathToFileURL(join(modules, 'tree.mjs')));

const bytes = readFileSync(name);
const file = await openFile(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const tree = await file.readObject(treeName);

class Columns extends TSelector {
  constructor(branches) {
    super();
    this.columns = branches.map(() => []);
    branches.forEach((branch, i) => this.addBranch(branch, `c${i}`));
  }

  Process() {
    this.columns.forEach((column, i) => column.push(this.tgtobj[`c${i}`]));
  }

  Terminate(ok) {
    this.ok = ok;
  }
}

const branches = tree.fBranches.arr;
const selector = new Columns(branches);
if (tree.fEntries > 0) {
  await treeProcess(tree, selector);
  if (!selector.ok) throw new Error(`JSROOT could not read ${treeName}`);
}

// numbers returns the values of one entry, or nothing if they are no numbers.
function numbers(x) {
  if (['number', 'bigint', 'boolean'].includes(typeof x)) return [Number(x)];
  if (!Array.isArray(x) && !ArrayBuffer.isView(x)) return undefined;
  const all = [];
  for (const y of x) {
    const inner = numbers(y);
    if (!inner) return undefined;
    all.push(...inner);
  }
  return all;
}

const index = [], parts = [];
branches.forEach((branch, i) => {
  const entries = selector.columns[i].map(numbers);
  if (entries.includes(undefined)) {
    index.push({ name: branch.fName, other: true });
    return;
  }
  const arrays = selector.columns[i].some(x => typeof x === 'object');
  const flat = entries.flat();
  index.push({ name: branch.fName, count: flat.length, lengths: arrays ? entries.map(e => e.length) : null });
  const values = Buffer.alloc(8 * flat.length);
  flat.forEach((x, k) => values.writeDoubleLE(x, 8 * k));
  parts.push(values);
});
writeFileSync(out, Buffer.concat([Buffer.from(JSON.stringify(index) + '\n'), ...parts]));
