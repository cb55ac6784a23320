// Reads all scalar branches of a tree with JSROOT.
//
//   node read.mjs MODULES FILE.root TREE OUT
//
// MODULES is the folder of JSROOT's modules.
// OUT starts with one line of JSON, [{"name": …, "count": …}, …]; the values
// of each branch follow in that order, as little-endian float64.

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

const parts = [JSON.stringify(branches.map((b, i) => ({ name: b.fName, count: selector.columns[i].length }))), '\n'];
branches.forEach((branch, i) => {
  const column = selector.columns[i];
  const values = Buffer.alloc(8 * column.length);
  column.forEach((x, row) => {
    if (!['number', 'bigint', 'boolean'].includes(typeof x)) {
      throw new Error(`branch ${branch.fName}, entry ${row}: ${typeof x}, not a number`);
    }
    values.writeDoubleLE(Number(x), 8 * row);
  });
  parts.push(values);
});
writeFileSync(out, Buffer.concat(parts.map(p => Buffer.from(p))));
