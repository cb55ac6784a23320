"""Sampling and log-densities of Eidolon's Real NVP by ONNX Runtime.

FILE tells of the job in JSON: the flow, its tensors, and a few rows with what Eidolon makes
of them. A sample is made of noise that is given, while Eidolon draws it: that is for nothing
here. The graph has what ONNX Runtime runs fastest: a product with its bias and ReLU is one
operator, constants are in the weights, and the sums over features are one.
"""

import json
import math

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """An ONNX graph under construction; its methods return names of tensors."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"t{len(self.nodes)}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values, kind=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def model(self, output, features):
        inputs = [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["rows", features])]
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "flow", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def build(flow, tensors, sample):
    """The graph of one direction of the flow."""
    g, dim = Graph(), flow["dim"]
    split = g.constant([dim // 2, dim // 2], np.int64)
    halves = None  # of the features, each [their numbers, the tensor]

    def whole(order):
        have = halves[0][0] + halves[1][0] if halves else list(range(dim))
        name = g.op("Concat", halves[0][1], halves[1][1], axis=1) if halves else "in"
        places = [have.index(k) for k in order]
        return name if places == list(range(dim)) else g.op("Gather", name, g.constant(places, np.int64), axis=1)

    scales = []  # tanh of all layers
    layers = [(i, layer["affine-coupling"]) for i, layer in enumerate(flow["layers"])]
    for i, layer in reversed(layers) if sample else layers:
        stay, bound = layer["keep"], layer.get("bound", 2)
        change = [k for k in range(dim) if k not in stay]
        if halves and [h[0] for h in halves] == [change, stay]:
            halves.reverse()
        elif not halves or [h[0] for h in halves] != [stay, change]:
            halves = [list(h) for h in zip((stay, change), g.op("Split", whole(stay + change), split, axis=1, outputs=2))]
        h, last = halves[0][1], len(layer["hidden"])
        for k in range(last + 1):
            w, b = tensors[f"{i}.{k}.weight"], tensors[f"{i}.{k}.bias"]
            if k == last:  # s = bound·tanh(r/bound), and r stands before t
                w, b = (np.concatenate([t[..., : dim // 2] / bound, t[..., dim // 2 :]], -1) for t in (w, b))
            h = g.op("Gemm", h, g.constant(w), g.constant(b))
            h = h if k == last else g.op("Relu", h)
        r, t = g.op("Split", h, split, axis=1, outputs=2)
        tanh = g.op("Tanh", r)
        factor = g.op("Exp", g.op("Mul", tanh, g.constant([-bound if sample else bound])))
        x = halves[1][1]
        halves[1][1] = g.op("Mul", g.op("Sub", x, t), factor) if sample else g.op("Add", g.op("Mul", x, factor), t)
        scales.append(tanh)
    if sample:
        return g.model(whole(list(range(dim))), dim)
    # log p = Σ (Σ bound·tanh − ½ a² − ½ b²) − ½ D log 2π; here all bounds are the same
    logs = g.op("Mul", g.op("Sum", *scales), g.constant([bound]))
    squares = g.op("Add", *(g.op("Mul", name, name) for _, name in halves))
    each = g.op("Sub", logs, g.op("Mul", squares, g.constant([0.5])))
    total = g.op("ReduceSum", each, g.constant([1], np.int64), keepdims=0)
    return g.model(g.op("Sub", total, g.constant([0.5 * dim * math.log(2 * math.pi)])), dim)


class Peer:
    def __init__(self, _, threads, file):
        self.threads, self.file = threads, file

    def ways(self, what, model, hidden, batch):
        """The one way to do what is asked for, a function for one call."""
        with open(self.file) as f:
            self.job = json.load(f)
        tensors = {t["Name"]: np.asarray(t["Value"], np.float32).reshape(t["Shape"]) for t in self.job["Tensors"]}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        self.session = onnxruntime.InferenceSession(build(self.job["Flow"], tensors, what == "sample"), options, providers=["CPUExecutionProvider"])
        x = {"in": np.random.default_rng(1).standard_normal((batch, self.job["Flow"]["dim"]), np.float32)}
        yield lambda: self.session.run(None, x)

    def parameters(self):
        return sum(len(t["Value"]) for t in self.job["Tensors"])

    def check(self):
        """The largest difference from Eidolon over the rows of FILE."""
        rows = np.asarray(self.job["In"], np.float32).reshape(-1, self.job["Flow"]["dim"])
        out = self.session.run(None, {"in": rows})[0].ravel()
        return float(np.abs(out - np.asarray(self.job["Out"])).max())
