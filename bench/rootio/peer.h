// Events, and loops that write and read them, for peer.py.

#include <TBranch.h>
#include <TBufferFile.h>
#include <TFile.h>
#include <TRandom3.h>
#include <TTree.h>
#include <TTreeReader.h>
#include <TTreeReaderArray.h>
#include <TTreeReaderValue.h>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

const int floats = 10, members = 5, most = 8;
struct { std::vector<float> x[floats]; std::vector<int> a, b; } flat;
struct { std::vector<int> n; std::vector<float> o[members]; } jagged;

std::string x(int k) { return "x" + std::to_string(k); }
std::string o(int k) { return "o_" + std::to_string(k); }

// Ten columns of normal deviates, every other one with 10 bits of the mantissa, as NanoAOD has them, and two of
// integers; and up to 7 objects of five such columns.
void prepare(int flat_events, int jagged_events) {
  TRandom3 r(1);
  for (int k = 0; k < floats; k++) {
    flat.x[k].resize(flat_events);
    for (auto &v : flat.x[k]) {
      v = r.Gaus();
      unsigned u;
      memcpy(&u, &v, 4);
      if (k % 2) u &= ~((1u << 13) - 1);
      memcpy(&v, &u, 4);
    }
  }
  for (int i = 0; i < flat_events; i++) {
    flat.a.push_back(r.Integer(10));
    flat.b.push_back(1000000 + i);
  }
  long all = 0;
  for (int i = 0; i < jagged_events; i++) {
    jagged.n.push_back(r.Integer(most));
    all += jagged.n.back();
  }
  for (auto &v : jagged.o) {
    v.resize(all);
    for (auto &f : v) f = r.Gaus();
  }
}

void write_flat(const char *name, int compression) {
  TFile file(name, "RECREATE", "", compression);
  TTree t("t", "t");
  float v[floats];
  int a, b;
  for (int k = 0; k < floats; k++) t.Branch(x(k).c_str(), &v[k]);
  t.Branch("a", &a);
  t.Branch("b", &b);
  for (size_t i = 0; i < flat.a.size(); i++) {
    for (int k = 0; k < floats; k++) v[k] = flat.x[k][i];
    a = flat.a[i];
    b = flat.b[i];
    t.Fill();
  }
  t.Write();
}

void write_jagged(const char *name, int compression) {
  TFile file(name, "RECREATE", "", compression);
  TTree t("t", "t");
  int n;
  float v[members][most];
  t.Branch("n", &n, "n/I");
  for (int k = 0; k < members; k++) t.Branch(o(k).c_str(), v[k], (o(k) + "[n]/F").c_str());
  long at = 0;
  for (size_t i = 0; i < jagged.n.size(); i++, at += n) {
    n = jagged.n[i];
    for (int k = 0; k < members; k++)
      for (int j = 0; j < n; j++) v[k][j] = jagged.o[k][at + j];
    t.Fill();
  }
  t.Write();
}

double bulk_flat(const char *name) {
  TFile file(name);
  auto t = file.Get<TTree>("t");
  double sum = 0;
  TBufferFile buffer(TBuffer::kWrite, 32 * 1024);
  for (auto object : *t->GetListOfBranches()) {
    auto b = static_cast<TBranch *>(object);
    bool is_float = b->GetName()[0] == 'x';
    for (long i = 0, n = t->GetEntries(); i < n;) {
      int got = b->GetBulkRead().GetBulkEntries(i, buffer);
      if (got <= 0) return -1;
      for (int k = 0; k < got; k++) sum += is_float ? reinterpret_cast<float *>(buffer.GetCurrent())[k] : reinterpret_cast<int *>(buffer.GetCurrent())[k];
      i += got;
    }
  }
  return sum;
}

double getentry_flat(const char *name) {
  TFile file(name);
  auto t = file.Get<TTree>("t");
  float v[floats];
  int a, b;
  for (int k = 0; k < floats; k++) t->SetBranchAddress(x(k).c_str(), &v[k]);
  t->SetBranchAddress("a", &a);
  t->SetBranchAddress("b", &b);
  double sum = 0;
  for (long i = 0, n = t->GetEntries(); i < n; i++) {
    t->GetEntry(i);
    for (float f : v) sum += f;
    sum += a + b;
  }
  return sum;
}

double getentry_jagged(const char *name) {
  TFile file(name);
  auto t = file.Get<TTree>("t");
  float v[members][most];
  int n;
  t->SetBranchAddress("n", &n);
  for (int k = 0; k < members; k++) t->SetBranchAddress(o(k).c_str(), v[k]);
  double sum = 0;
  for (long i = 0, all = t->GetEntries(); i < all; i++) {
    t->GetEntry(i);
    sum += n;
    for (auto &f : v)
      for (int k = 0; k < n; k++) sum += f[k];
  }
  return sum;
}

double reader_flat(const char *name) {
  TFile file(name);
  TTreeReader r("t", &file);
  std::vector<std::unique_ptr<TTreeReaderValue<float>>> v;
  for (int k = 0; k < floats; k++) v.emplace_back(new TTreeReaderValue<float>(r, x(k).c_str()));
  TTreeReaderValue<int> a(r, "a"), b(r, "b");
  double sum = 0;
  while (r.Next()) {
    for (auto &f : v) sum += **f;
    sum += *a + *b;
  }
  return sum;
}

double reader_jagged(const char *name) {
  TFile file(name);
  TTreeReader r("t", &file);
  TTreeReaderValue<int> n(r, "n");
  std::vector<std::unique_ptr<TTreeReaderArray<float>>> v;
  for (int k = 0; k < members; k++) v.emplace_back(new TTreeReaderArray<float>(r, o(k).c_str()));
  double sum = 0;
  while (r.Next()) {
    sum += *n;
    for (auto &f : v)
      for (float y : *f) sum += y;
  }
  return sum;
}
