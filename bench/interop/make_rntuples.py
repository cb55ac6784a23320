"""Writes small RNTuples of many kinds with ROOT and uproot, whose values are formulas of the entry:
rootio/tuple_test.go has the same formulas, and reads the files to the bit.

usage: make_rntuples.py FOLDER     (the files of rootio/testdata were made so)
"""

import os
import sys

import awkward as ak
import numpy as np
import ROOT
import uproot

N = 50
out = sys.argv[1]
ROOT.gErrorIgnoreLevel = ROOT.kError
ROOT.gInterpreter.Declare(r"""
#include <ROOT/RField.hxx>
#include <ROOT/RNTupleModel.hxx>
#include <ROOT/RNTupleWriteOptions.hxx>
#include <ROOT/RNTupleWriter.hxx>
#include <atomic>
#include <bitset>
#include <optional>
#include <variant>
namespace R = ROOT;

// Numbers that look random, as in the test.
static std::uint32_t h(int i, int k) {
  std::uint32_t x = i * 2654435761u + k * 2246822519u;
  x ^= x >> 15; x *= 2246822519u; x ^= x >> 13; x *= 3266489917u;
  return x ^ x >> 16;
}
static double f(int i, int k) { return (int(h(i, k) % 4001) - 2000) / 16.; }  // has half precision

struct Options { int compression, page, cluster; bool checksums; };

static auto writer(std::unique_ptr<R::RNTupleModel> m, const char *file, Options o) {
  R::RNTupleWriteOptions w;
  w.SetCompression(o.compression);
  if (!o.checksums) w.SetEnableSamePageMerging(false);
  w.SetEnablePageChecksums(o.checksums);
  w.SetMaxUnzippedPageSize(o.page); w.SetInitialUnzippedPageSize(64);
  return R::RNTupleWriter::Recreate(std::move(m), "t", file, w);
}
#define FILL w->Fill(); if (i % o.cluster == o.cluster - 1) w->CommitCluster(i % 2)

void flat(const char *file, Options o, int n) {
  auto m = R::RNTupleModel::Create(); m->SetDescription("numbers");
  auto b = m->MakeField<bool>("b"); auto c = m->MakeField<char>("c"); auto by = m->MakeField<std::byte>("by");
  auto i8 = m->MakeField<std::int8_t>("i8"); auto u8 = m->MakeField<std::uint8_t>("u8");
  auto i16 = m->MakeField<std::int16_t>("i16"); auto u16 = m->MakeField<std::uint16_t>("u16");
  auto i32 = m->MakeField<std::int32_t>("i32"); auto u32 = m->MakeField<std::uint32_t>("u32");
  auto i64 = m->MakeField<std::int64_t>("i64"); auto u64 = m->MakeField<std::uint64_t>("u64");
  auto x = m->MakeField<float>("x"); auto d = m->MakeField<double>("d"); auto d32 = m->MakeField<Double32_t>("d32");
  auto w = writer(std::move(m), file, o);
  for (int i = 0; i < n; i++) {
    *b = h(i, 0) % 3 == 0; *c = h(i, 1) % 100; *by = std::byte(h(i, 2)); *i8 = h(i, 3); *u8 = h(i, 4); *i16 = h(i, 5); *u16 = h(i, 6); *i32 = h(i, 7); *u32 = h(i, 8);
    *i64 = std::int64_t(h(i, 9)) * h(i, 10) - (1ll << 62); *u64 = std::uint64_t(h(i, 11)) * h(i, 12); *x = f(i, 13); *d = f(i, 14) / 3; *d32 = f(i, 15);
    FILL;
  }
}

void encodings(const char *file, Options o, int n) {
  using T = R::ENTupleColumnType;
  auto m = R::RNTupleModel::Create();
  auto real = [&](const char *name, auto set) { auto p = std::make_unique<R::RField<float>>(name); set(*p); m->AddField(std::move(p)); };
  auto dbl = [&](const char *name, auto set) { auto p = std::make_unique<R::RField<double>>(name); set(*p); m->AddField(std::move(p)); };
  real("half", [](auto &p) { p.SetHalfPrecision(); });
  real("real32", [](auto &p) { p.SetColumnRepresentatives({{T::kReal32}}); }); real("split32", [](auto &p) { p.SetColumnRepresentatives({{T::kSplitReal32}}); });
  dbl("real64", [](auto &p) { p.SetColumnRepresentatives({{T::kReal64}}); }); dbl("split64", [](auto &p) { p.SetColumnRepresentatives({{T::kSplitReal64}}); });
  real("trunc10", [](auto &p) { p.SetTruncated(10); }); real("trunc17", [](auto &p) { p.SetTruncated(17); }); dbl("trunc31", [](auto &p) { p.SetTruncated(31); });
  real("quant1", [](auto &p) { p.SetQuantized(1, {-125, 125}); }); real("quant7", [](auto &p) { p.SetQuantized(7, {-125, 125}); });
  real("quant20", [](auto &p) { p.SetQuantized(20, {-125, 125}); }); dbl("quant32", [](auto &p) { p.SetQuantized(32, {-125, 125}); });
  auto ints = [&](const char *name, T t) { auto p = std::make_unique<R::RField<std::int32_t>>(name); p->SetColumnRepresentatives({{t}}); m->AddField(std::move(p)); };
  ints("int32", T::kInt32); ints("zigzag32", T::kSplitInt32);
  auto vec = [&](const char *name, T t) { auto p = std::make_unique<R::RField<std::vector<float>>>(name); p->SetColumnRepresentatives({{t}}); m->AddField(std::move(p)); };
  vec("index32", T::kIndex32); vec("split_index32", T::kSplitIndex32); vec("index64", T::kIndex64); vec("split_index64", T::kSplitIndex64);
  auto w = writer(std::move(m), file, o);
  auto e = w->CreateEntry();
  for (int i = 0; i < n; i++) {
    int k = 0;
    for (auto &v : *e) {
      auto &type = v.GetField().GetTypeName();
      if (type == "float") *v.GetPtr<float>() = f(i, k);
      else if (type == "double") *v.GetPtr<double>() = f(i, k);
      else if (type == "std::int32_t") *v.GetPtr<std::int32_t>() = h(i, k);
      else { auto p = v.GetPtr<std::vector<float>>(); p->resize(i % 3); for (size_t j = 0; j < p->size(); j++) (*p)[j] = f(i, k + j); }
      k++;
    }
    w->Fill(*e); if (i % o.cluster == o.cluster - 1) w->CommitCluster();
  }
}

void lists(const char *file, Options o, int n) {
  auto m = R::RNTupleModel::Create();
  auto v = m->MakeField<std::vector<double>>("v"); auto vb = m->MakeField<std::vector<bool>>("vb"); auto rv = m->MakeField<ROOT::RVec<std::int16_t>>("rv");
  auto vv = m->MakeField<std::vector<std::vector<float>>>("vv"); auto vvv = m->MakeField<std::vector<std::vector<std::vector<std::int32_t>>>>("vvv");
  auto va = m->MakeField<std::vector<std::array<float, 3>>>("va"); auto av = m->MakeField<std::array<std::vector<float>, 2>>("av");
  auto vp = m->MakeField<std::vector<std::pair<float, std::int32_t>>>("vp");
  auto w = writer(std::move(m), file, o);
  for (int i = 0; i < n; i++) {
    v->resize(i % 4); vb->resize(i % 11); rv->resize(i % 5); vv->resize(i % 3); vvv->resize(i % 3); va->resize(i % 3); vp->resize(i % 4);
    int q;
    q = 0; for (auto &x : *v) x = f(i, q++);
    for (size_t j = 0; j < vb->size(); j++) (*vb)[j] = h(i, j) % 2;
    q = 0; for (auto &x : *rv) x = h(i, q++);
    q = 0; for (size_t j = 0; j < vv->size(); j++) { (*vv)[j].resize((i + j) % 4); for (auto &x : (*vv)[j]) x = f(i, q++); }
    q = 0; for (size_t j = 0; j < vvv->size(); j++) { (*vvv)[j].resize((i + j) % 3); for (size_t k = 0; k < (*vvv)[j].size(); k++) { (*vvv)[j][k].resize((i + j + k) % 3); for (auto &x : (*vvv)[j][k]) x = h(i, q++); } }
    q = 0; for (auto &a : *va) for (auto &x : a) x = f(i, q++);
    q = 0; for (size_t j = 0; j < 2; j++) { (*av)[j].resize((i + j) % 3); for (auto &x : (*av)[j]) x = f(i, q++); }
    q = 0; for (auto &x : *vp) { x = {f(i, q), h(i, q)}; q++; }
    FILL;
  }
}

void others(const char *file, Options o, int n) {
  auto m = R::RNTupleModel::Create();
  auto a = m->MakeField<std::array<float, 3>>("a"); auto a2 = m->MakeField<std::array<std::array<std::int32_t, 3>, 2>>("a2"); auto ab = m->MakeField<std::array<bool, 5>>("ab");
  auto bits = m->MakeField<std::bitset<11>>("bits"); auto p = m->MakeField<std::pair<float, std::int32_t>>("p");
  auto of = m->MakeField<std::optional<float>>("of"); auto oi = m->MakeField<std::optional<std::int32_t>>("oi"); auto up = m->MakeField<std::unique_ptr<double>>("up");
  auto va = m->MakeField<std::variant<float, std::int32_t>>("va"); auto vs = m->MakeField<std::variant<float, std::string>>("vs"); auto at = m->MakeField<std::atomic<std::int32_t>>("at");
  auto s = m->MakeField<std::string>("s");
  auto w = writer(std::move(m), file, o);
  for (int i = 0; i < n; i++) {
    int q = 0; for (auto &x : *a) x = f(i, q++);
    q = 0; for (auto &v : *a2) for (auto &x : v) x = h(i, q++);
    q = 0; for (auto &x : *ab) x = h(i, q++) % 2;
    *bits = h(i, 0) % 2048; *p = {f(i, 1), h(i, 2)}; *at = -i; *s = std::string(i % 5, 'a' + i % 26);
    if (i % 3) *of = f(i, 3); else of->reset();
    if (i % 4) *oi = i; else oi->reset();
    if (i % 5) *up = std::make_unique<double>(f(i, 4)); else up->reset();
    if (i % 2) *va = float(f(i, 5)); else *va = i;
    if (i % 2) *vs = float(f(i, 6)); else *vs = std::string("text");
    FILL;
  }
}

void late(const char *file, Options o, int n) {  // fields that are added when there are entries
  auto m = R::RNTupleModel::Create(); auto x = m->MakeField<float>("x");
  auto w = writer(std::move(m), file, o);
  std::shared_ptr<float> y; std::shared_ptr<std::vector<float>> v; std::shared_ptr<std::array<float, 2>> a;
  for (int i = 0; i < n; i++) {
    if (i == 23) { auto u = w->CreateModelUpdater(); u->BeginUpdate(); y = u->MakeField<float>("y"); v = u->MakeField<std::vector<float>>("v"); a = u->MakeField<std::array<float, 2>>("a"); u->CommitUpdate(); }
    *x = f(i, 0); if (y) { *y = f(i, 1); v->assign(i % 3, f(i, 2)); *a = {float(f(i, 3)), float(f(i, 4))}; }
    FILL;
  }
}

void projected(const char *file, Options o, int n) {  // as ROOT makes them of the counted arrays of a TTree
  auto m = R::RNTupleModel::Create(); auto jets = m->MakeField<std::vector<std::pair<float, float>>>("_jets");
  auto add = [&](const char *name, const char *type, const char *member) {
    m->AddProjectedField(R::RFieldBase::Create(name, type).Unwrap(), [=](const std::string &s) { return s == name ? std::string("_jets") : std::string("_jets._0.") + member; }); };
  add("nJet", "ROOT::RNTupleCardinality<std::uint32_t>", ""); add("Jet_pt", "std::vector<float>", "_0"); add("Jet_eta", "ROOT::VecOps::RVec<float>", "_1");
  auto w = writer(std::move(m), file, o);
  for (int i = 0; i < n; i++) { jets->resize(i % 4); int q = 0; for (auto &j : *jets) { j = {f(i, q), f(i, q + 1)}; q += 2; } FILL; }
}
""")

folder = lambda name: os.path.join(out, name + ".root")
O = ROOT.Options  # compression, bytes of a page, entries of a cluster, checksums
ROOT.flat(folder("rntuple_flat"), O(101, 256, 30, True), N)
ROOT.flat(folder("rntuple_plain"), O(0, 256, 20, True), N)
ROOT.encodings(folder("rntuple_encodings"), O(505, 1024, 1000, True), N)
ROOT.lists(folder("rntuple_lists"), O(404, 256, 20, False), N)
ROOT.others(folder("rntuple_others"), O(207, 1024, 40, True), N)
ROOT.late(folder("rntuple_late"), O(505, 256, 9, True), N)
ROOT.projected(folder("rntuple_projected"), O(505, 256, 20, True), N)


def h(i, k):
    x = (i * 2654435761 + k * 2246822519) & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 2246822519 & 0xFFFFFFFF
    x ^= x >> 13
    x = x * 3266489917 & 0xFFFFFFFF
    return x ^ x >> 16


def f(i, k):
    return (h(i, k) % 4001 - 2000) / 16


with uproot.recreate(folder("rntuple_uproot")) as file:
    e = range(N)
    columns = {
        "b": np.array([h(i, 0) % 3 == 0 for i in e]),
        "i8": np.array([h(i, 3) & 0xFF for i in e], "u1").view("i1"),
        "u16": np.array([h(i, 6) & 0xFFFF for i in e], "u2"),
        "i32": np.array([h(i, 7) for i in e], "u4").view("i4"),
        "u64": np.array([h(i, 11) * h(i, 12) & (1 << 64) - 1 for i in e], "u8"),
        "x": np.array([f(i, 13) for i in e], "f4"),
        "d": np.array([f(i, 14) / 3 for i in e], "f8"),
        "v": ak.values_astype(ak.Array([[f(i, q) for q in range(i % 4)] for i in e]), "float64"),
        "vv": ak.values_astype(ak.Array([[[f(i, 4 * j + k) for k in range((i + j) % 4)] for j in range(i % 3)] for i in e]), "float32"),
        "r": ak.Array([{"m": f(i, 1), "n": i} for i in e]),
    }
    file.mkrntuple("t", columns)
