// Sampling and log-densities of a Real NVP by ONNX Runtime, on one thread, to be
// measured in turn with Eidolon's; main.go beside it asks.
//
//	usage: node peer.mjs FILE
//
// onnxruntime-node is found by NODE_PATH. FILE tells of the job in JSON: the kernel, the
// flow, its tensors, and a few rows with what Eidolon makes of them. Each line of standard
// input is a request:
//
//	load WHAT MODEL HIDDEN BATCH    WHAT is sample or log-density, MODEL realnvp;
//	                                reads FILE, answers the number of parameters
//	check                           the largest difference from Eidolon over the rows of FILE
//	turn SECONDS                    events per second
//
// A sample is made of noise that is given, while Eidolon draws it: that is for nothing here.
// The graph has what ONNX Runtime runs fastest: a product with its bias and ReLU is one
// operator, constants are in the weights, and the sums over features are one.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const file = process.argv[2];
const ort = createRequire(import.meta.url)('onnxruntime-node');

// A message of protocol buffers is its fields one after the other; the numbers of the
// fields below are those of onnx.proto.
const varint = (v) => (v < 128 ? [v] : [(v & 127) | 128, ...varint(v >>> 7)]);
const int = (field, v) => [...varint(field << 3), ...varint(v)];
const bytes = (field, b) => [...varint((field << 3) | 2), ...varint(b.length), ...b];
const text = (field, s) => bytes(field, Buffer.from(s));
const [FLOAT, INT64] = [1, 7]; // types of elements

// Graph is an ONNX graph under construction; its methods return names of tensors.
class Graph {
  nodes = [];
  constants = [];
  names = 0;

  op(type, inputs, { outputs = 1, ...attributes } = {}) {
    const INT = 2; // type of an attribute
    const results = Array.from({ length: outputs }, () => `t${this.names++}`);
    this.nodes.push(bytes(1, [
      ...inputs.flatMap((name) => text(1, name)), ...results.flatMap((name) => text(2, name)), ...text(4, type),
      ...Object.entries(attributes).flatMap(([name, v]) => bytes(5, [...text(1, name), ...int(3, v), ...int(20, INT)])),
    ]));
    return outputs === 1 ? results[0] : results;
  }

  constant(values, shape, type = FLOAT) {
    const name = `c${this.names++}`;
    const data = type === FLOAT ? new Float32Array(values) : new BigInt64Array(values.map(BigInt));
    this.constants.push(bytes(5, [
      ...shape.flatMap((n) => int(1, n)), ...int(2, type), ...text(8, name), ...bytes(9, new Uint8Array(data.buffer)),
    ]));
    return name;
  }

  // model is the file of the graph with one input and one output.
  model(input, output) {
    const tensor = (name) => [...text(1, name), ...bytes(2, bytes(1, int(1, FLOAT)))];
    const parts = [...this.nodes, text(2, 'flow'), ...this.constants, bytes(11, tensor(input)), bytes(12, tensor(output))];
    return Buffer.concat([int(1, 8), bytes(7, Buffer.concat(parts.map(Buffer.from))), bytes(8, int(2, 17))].map(Buffer.from));
  }
}

// build returns the graph of one direction of the flow.
function build(flow, tensors, sample) {
  const g = new Graph();
  const range = [...Array(flow.dim).keys()];
  const split = g.constant([flow.dim / 2, flow.dim / 2], [2], INT64);
  const scalar = (v) => g.constant([v], [1]);
  let halves; // of the features, each { of: their numbers, name }
  const whole = (order) => {
    const have = halves ? halves.flatMap((h) => h.of) : range;
    const name = halves ? g.op('Concat', halves.map((h) => h.name), { axis: 1 }) : 'in';
    const places = order.map((k) => have.indexOf(k));
    return places.every((p, i) => p === i) ? name : g.op('Gather', [name, g.constant(places, [places.length], INT64)], { axis: 1 });
  };

  const scales = []; // tanh of all layers
  const layers = flow.layers.map((layer, i) => ({ ...layer['affine-coupling'], tensor: (name) => tensors[`${i}.${name}`] }));
  for (const layer of sample ? layers.reverse() : layers) {
    const stay = layer.keep, change = range.filter((k) => !stay.includes(k));
    const bound = layer.bound ?? 2;
    const is = (h, of) => h.of.join() === of.join();
    if (halves && is(halves[1], stay) && is(halves[0], change)) {
      halves.reverse();
    } else if (!halves || !is(halves[0], stay) || !is(halves[1], change)) {
      const [a, b] = g.op('Split', [whole([...stay, ...change]), split], { axis: 1, outputs: 2 });
      halves = [{ of: stay, name: a }, { of: change, name: b }];
    }
    let h = halves[0].name;
    for (let k = 0; k <= layer.hidden.length; k++) {
      const last = k === layer.hidden.length;
      const [w, b] = ['weight', 'bias'].map((name) => {
        const t = layer.tensor(`${k}.${name}`), n = t.Shape.at(-1);
        // s = bound·tanh(r/bound), and r stands before t in a row of the last layer.
        return g.constant(t.Value.map((v, at) => (last && at % n < n / 2 ? v / bound : v)), t.Shape);
      });
      h = g.op('Gemm', [h, w, b]);
      if (!last) h = g.op('Relu', [h]);
    }
    const [r, t] = g.op('Split', [h, split], { axis: 1, outputs: 2 });
    const tanh = g.op('Tanh', [r]);
    const factor = g.op('Exp', [g.op('Mul', [tanh, scalar(sample ? -bound : bound)])]);
    const x = halves[1].name;
    halves[1].name = sample ? g.op('Mul', [g.op('Sub', [x, t]), factor]) : g.op('Add', [g.op('Mul', [x, factor]), t]);
    scales.push({ tanh, bound });
  }
  if (sample) return g.model('in', whole(range));

  // log p = Σ (Σ bound·tanh − ½ a² − ½ b²) − ½ D log 2π; here all bounds are the same
  const logs = g.op('Mul', [g.op('Sum', scales.map((s) => s.tanh)), scalar(scales[0].bound)]);
  const squares = g.op('Add', halves.map(({ name }) => g.op('Mul', [name, name])));
  const each = g.op('Sub', [logs, g.op('Mul', [squares, scalar(0.5)])]);
  const sum = g.op('ReduceSum', [each, g.constant([1], [1], INT64)], { keepdims: 0 });
  return g.model('in', g.op('Sub', [sum, scalar(0.5 * flow.dim * Math.log(2 * Math.PI))]));
}

// The time of the process, for ONNX Runtime works on a thread of its own.
const time = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e-6;
};

let job, session, feeds;
for await (const line of createInterface({ input: process.stdin })) {
  const [request, ...words] = line.split(' ');
  const numbers = words.map(Number);
  let answer;
  if (request === 'load') {
    job = JSON.parse(readFileSync(file));
    const { dim } = job.Flow, batch = numbers[3];
    const tensors = Object.fromEntries(job.Tensors.map((t) => [t.Name, t]));
    session = await ort.InferenceSession.create(build(job.Flow, tensors, words[0] === 'sample'), {
      intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
      extra: { session: { set_denormal_as_zero: '1' } },
    });
    const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    feeds = { in: new ort.Tensor('float32', Float32Array.from({ length: batch * dim }, normal), [batch, dim]) };
    for (let i = 0; i < 2; i++) await session.run(feeds);
    answer = job.Tensors.reduce((n, t) => n + t.Value.length, 0);
  } else if (request === 'check') {
    const { dim } = job.Flow;
    const rows = new ort.Tensor('float32', Float32Array.from(job.In), [job.In.length / dim, dim]);
    const out = (await session.run({ in: rows }))[session.outputNames[0]].data;
    answer = out.length === job.Out.length ? Math.max(...job.Out.map((v, i) => Math.abs(v - out[i]))) : NaN;
  } else {
    const started = time();
    let spent = 0, calls = 0;
    for (; calls < 1 || spent < numbers[0]; calls++) {
      await session.run(feeds);
      spent = time() - started;
    }
    answer = (feeds.in.dims[0] * calls) / spent;
  }
  console.log(answer);
}
