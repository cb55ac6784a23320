// The posterior means of main.go by ONNX Runtime's MultiHeadAttention, on one thread.
//
//	usage: node peer.mjs FOLDER
//
// onnxruntime-node is found by NODE_PATH. Each line of standard input is a request:
//
//	load dim n k alpha sigma    reads n queries from FOLDER/x and k events from FOLDER/x0,
//	                            writes their means to FOLDER/mean, answers 0
//	turn seconds                answers the pairs per second of a turn
//
// The exponent −½‖x − α·x0‖²/σ² is, but for what is the same for all events, the product
// of (x·α/σ², 1) with (x0, −½‖α·x0‖²/σ²): one head of attention with these as its query
// and key, x0 as its value and a scale of 1 gives the mean. Whether zeros that make these
// vectors a multiple of four long pay depends on dim: a turn is one without and one with
// them, and the faster counts.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const folder = process.argv[2];
const ort = createRequire(import.meta.url)('onnxruntime-node');

// A message of protocol buffers is its fields one after the other; the numbers of the
// fields below are those of onnx.proto.
const varint = (v) => (v < 128 ? [v] : [(v & 127) | 128, ...varint(v >>> 7)]);
const int = (field, v) => [...varint(field << 3), ...varint(v)];
const bytes = (field, b) => [...varint((field << 3) | 2), ...varint(b.length), ...b];
const text = (field, s) => bytes(field, Buffer.from(s));
const float = (field, v) => [...varint((field << 3) | 5), ...new Uint8Array(new Float32Array([v]).buffer)];

// model is an ONNX file of the one operator, for all shapes.
function model() {
  const [FLOAT, INT] = [1, 2]; // types of attributes; FLOAT is that of elements too
  const heads = [...text(1, 'num_heads'), ...int(3, 1), ...int(20, INT)];
  const scale = [...text(1, 'scale'), ...float(2, 1), ...int(20, FLOAT)];
  const inputs = ['query', 'key', 'value'];
  const node = [
    ...inputs.flatMap((name) => text(1, name)), ...text(2, 'mean'),
    ...text(4, 'MultiHeadAttention'), ...bytes(5, heads), ...bytes(5, scale), ...text(7, 'com.microsoft'),
  ];
  const tensor = (name) => [...text(1, name), ...bytes(2, bytes(1, int(1, FLOAT)))];
  const graph = [
    ...bytes(1, node), ...text(2, 'posterior'),
    ...inputs.flatMap((name) => bytes(11, tensor(name))), ...bytes(12, tensor('mean')),
  ];
  const opset = (domain, version) => bytes(8, [...text(1, domain), ...int(2, version)]);
  return Uint8Array.from([...int(1, 8), ...bytes(7, graph), ...opset('', 17), ...opset('com.microsoft', 1)]);
}

const session = await ort.InferenceSession.create(model(), {
  intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
});

const floats = (name) => new Float32Array(Uint8Array.from(readFileSync(`${folder}/${name}`)).buffer);

// feeds is what the operator is given, with vectors of length wide > dim.
function feeds(wide, dim, n, k, alpha, sigma) {
  const x = floats('x'), x0 = floats('x0');
  const query = new Float32Array(n * wide), key = new Float32Array(k * wide);
  for (let i = 0; i < n; i++) {
    for (let d = 0; d < dim; d++) query[i * wide + d] = (x[i * dim + d] * alpha) / sigma ** 2;
    query[i * wide + dim] = 1;
  }
  for (let i = 0; i < k; i++) {
    let square = 0;
    for (let d = 0; d < dim; d++) {
      key[i * wide + d] = x0[i * dim + d];
      square += (alpha * x0[i * dim + d]) ** 2;
    }
    key[i * wide + dim] = (-0.5 * square) / sigma ** 2;
  }
  return {
    query: new ort.Tensor('float32', query, [1, n, wide]),
    key: new ort.Tensor('float32', key, [1, k, wide]),
    value: new ort.Tensor('float32', x0, [1, k, dim]),
  };
}

// The time of the process, for ONNX Runtime works on a thread of its own.
const time = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e-6;
};

// speed is the pairs per second of calls that last so many seconds, two at least.
async function speed(given, seconds) {
  const started = time();
  let spent = 0, calls = 0;
  for (; calls < 2 || spent < seconds; calls++) {
    await session.run(given);
    spent = time() - started;
  }
  return (given.query.dims[1] * given.key.dims[1] * calls) / spent;
}

let plain, padded;
for await (const line of createInterface({ input: process.stdin })) {
  const [request, ...words] = line.split(' ');
  const numbers = words.map(Number);
  if (request === 'load') {
    const dim = numbers[0];
    plain = feeds(dim + 1, ...numbers);
    padded = feeds(4 * Math.ceil((dim + 1) / 4), ...numbers);
    await session.run(padded);
    writeFileSync(`${folder}/mean`, (await session.run(plain)).mean.data);
    console.log(0);
  } else {
    console.log(Math.max(await speed(plain, ...numbers), await speed(padded, ...numbers)));
  }
}
