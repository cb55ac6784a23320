"""Makes the files of objects in this directory with PyROOT: make.py (no arguments). The contents are
simple functions of the number i of the entry; objects_test.go knows them."""
import os, sys, tempfile
here = os.path.dirname(os.path.abspath(__file__))
code = r'''
#include <TFile.h>
#include <TTree.h>
#include <TClonesArray.h>
#include <TLorentzVector.h>
#include <TVector3.h>
#include <TString.h>
#include <Math/Vector4D.h>
#include <bitset>
#include <map>
#include <string>
#include <vector>
struct Hit { float x; int id; double e; };
struct Inner { float a; short s; };
struct Outer { Inner in; int n; Inner arr[2]; };
class Base : public TObject { public: int run = 0; ClassDef(Base, 1) };
class Far : public Base { public: std::vector<float> v; float y = 0; ClassDef(Far, 1) };
class Event : public Base {
public:
  float pt = 0; Bool_t ok = false;
  Float16_t h = 0; //[-10,10,12]
  Double32_t d = 0; //[0,100,20]
  int n = 0;
  float *arr; //[n]
  float fix[3]; std::vector<float> v; std::vector<Hit> hits; std::vector<Far> far; std::map<int, float> map; std::string s; TString ts; Outer o;
  Event() : arr(nullptr), fix{}, o{} {}
  ~Event() { delete[] arr; }
  void Set(int i) {
    run = 1000 + i; pt = 1.5f * i; ok = i % 2; h = i % 20 - 10; d = i % 100; n = i % 4; s = "s" + std::to_string(i); ts = s.c_str();
    delete[] arr; arr = new float[4]; v.clear(); hits.clear(); far.clear(); map.clear();
    for (int k = 0; k < n; k++) { arr[k] = i + .25f * k; v.push_back(-arr[k]); hits.push_back({arr[k], k, 10. * k}); map[k] = i + k; Far f; f.run = k; f.v.assign(k, i); f.y = i - k; far.push_back(f); }
    for (int k = 0; k < 3; k++) fix[k] = 10 * k + i;
    o.in = {i * .5f, short(i)}; o.n = -i; o.arr[0] = {i * 1.f, 1}; o.arr[1] = {i * 2.f, 2};
  }
  ClassDef(Event, 2)
};
struct Pair { int first; std::vector<Hit> hits; };
class Trk : public TObject { public: float pt = 0; int q[2] = {0, 0}; Trk() {} Trk(float p, int c) : pt(p), q{c, -c} {} ClassDef(Trk, 1) };
#ifdef __CLING__
#pragma link C++ struct Hit+;
#pragma link C++ struct Inner+;
#pragma link C++ struct Outer+;
#pragma link C++ struct Pair+;
#pragma link C++ class Base+;
#pragma link C++ class Far+;
#pragma link C++ class Event+;
#pragma link C++ class Trk+;
#pragma link C++ class std::vector<Hit>+;
#pragma link C++ class std::vector<Far>+;
#pragma link C++ class std::vector<TLorentzVector>+;
#pragma link C++ class std::vector<ROOT::Math::PtEtaPhiMVector>+;
#pragma link C++ class std::vector<std::vector<float>>+;
#pragma link C++ class std::vector<std::vector<std::vector<short>>>+;
#pragma link C++ class std::map<int,float>+;
#pragma link C++ class std::bitset<3>+;
#endif
const int N = 8;
struct Maker {
  TFile f; TTree *t;
  Maker(const char *name, const char *tree, bool more = false) : f(name, more ? "UPDATE" : "RECREATE", "", 109), t(new TTree(tree, "")) {}
  ~Maker() { f.cd(); t->Write(); f.Close(); }
};
template <class B> void Fill(Maker &m, B body) { for (int i = 0; i < N; i++) { body(i); m.t->Fill(); } }
void event(const char *f, const char *tree, int split, const char *name, bool more) { Maker m(f, tree, more); auto e = new Event; m.t->Branch(name, &e, 2000, split); Fill(m, [&](int i) { e->Set(i); }); }
void clones(const char *f) { Maker m(f, "t"); auto a = new TClonesArray("Trk"), b = new TClonesArray("Trk"); m.t->Branch("a", &a, 2000, 0); m.t->Branch("b", &b, 2000, 99);
  Fill(m, [&](int i) { for (auto c : {a, b}) { c->Clear(); for (int k = 0; k < i % 3; k++) new ((*c)[k]) Trk(i + .5f * k, k); } }); }
void leaves(const char *f) { Maker m(f, "t"); int n; float a[3][2], y; struct { int n; float x[4]; } r; auto p = new Pair, q = new Pair;
  m.t->Branch("n", &n, "n/I"); m.t->Branch("a", a, "a[n][2]/F"); m.t->Branch("r", &r, "n/I:x[n]/F"); m.t->Branch("p", &p, 2000, 99); m.t->Branch("q", &q, 2000, 99);
  Fill(m, [&](int i) { n = i % 4; r.n = i % 3; for (int k = 0; k < 6; k++) a[k / 2][k % 2] = 10 * i + k; for (int k = 0; k < 4; k++) r.x[k] = i + k; p->first = i; q->first = -i; p->hits.assign(i % 2, {i * 1.f, i, 0}); q->hits = p->hits; });
  auto b = m.t->Branch("y", &y, "y/F"); for (int i = 0; i < 5; i++) { y = -i; b->Fill(); } }
void all(const char *dir) { TString d(dir); event(d + "/event.root", "split0", 0, "ev", false); event(d + "/event.root", "split1", 1, "ev", true); event(d + "/event.root", "dot", 99, "ev.", true); clones(d + "/clones.root"); leaves(d + "/leaves.root"); }
'''
import ROOT
with tempfile.TemporaryDirectory() as build:
    os.chdir(build)
    open("kinds.C", "w").write(code)
    if not ROOT.gSystem.CompileMacro("kinds.C", "kO"): sys.exit("it does not compile")
    ROOT.gInterpreter.ProcessLine(f'all("{here}");')
    std, P4 = ROOT.std, ROOT.Math.PtEtaPhiMVector
    f = ROOT.TFile(here + "/vectors.root", "RECREATE", "", 109)
    t = ROOT.TTree("t", "")
    p, v3, g, bits = ROOT.TLorentzVector(), ROOT.TVector3(), P4(), std.bitset[3]()
    lorentz, w = std.vector["TLorentzVector"](), std.vector["ROOT::Math::PtEtaPhiMVector"]()
    vv, vvv = std.vector["std::vector<float>"](), std.vector["std::vector<std::vector<short>>"]()
    for name, what, split in (("p", p, 99), ("v3", v3, 0), ("l", lorentz, 99), ("w0", w, 0), ("w99", w, 99), ("g", g, 0), ("vv", vv, 99), ("vvv", vvv, 99), ("bits", bits, 99)):
        t.Branch(name, what, 2000, split)
    for i in range(8):
        p.SetPxPyPzE(i, 2 * i, 3 * i, 4 * i); v3.SetXYZ(i, -i, 7); g.SetCoordinates(i + 1, .5, .25, i)
        for k in range(3): bits.set(k, bool(i >> k & 1))
        for x in (lorentz, w, vv, vvv): x.clear()
        for k in range(i % 3):
            lorentz.push_back(ROOT.TLorentzVector(i, k, 3, 100 + i)); w.push_back(P4(i + 1, .5, .25, k))
            vv.push_back(std.vector["float"](k, i))
            a = std.vector["std::vector<short>"]()
            for values in ([i], [k, i]):
                b = std.vector["short"]()
                for x in values: b.push_back(x)
                a.push_back(b)
            vvv.push_back(a)
        t.Fill()
    t.Write(); f.Close()
