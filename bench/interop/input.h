// A tree with branches of all kinds, as ROOT writes them, for check.py.

#include <TFile.h>
#include <TRandom3.h>
#include <TNamed.h>
#include <TParameter.h>
#include <TTree.h>
#include <vector>

template <class T> void fill(std::vector<T> &v, TRandom &r, int below) {
  v.clear();
  for (int n = r.Integer(5); n > 0; n--) v.push_back(T(r.Integer(below)));
}

void write_input(const char *name, int events) {
  TFile file(name, "RECREATE");
  TTree t("t", "a tree");
  TRandom3 r(1);
  char B; unsigned char b; short S; unsigned short s; int I; unsigned i; Long64_t L; ULong64_t l; float F; double D; bool O;
  t.Branch("B", &B, "B/B"); t.Branch("ub", &b, "ub/b"); t.Branch("S", &S, "S/S"); t.Branch("us", &s, "us/s");
  t.Branch("I", &I, "I/I"); t.Branch("ui", &i, "ui/i"); t.Branch("L", &L, "L/L"); t.Branch("ul", &l, "ul/l");
  t.Branch("F", &F, "F/F"); t.Branch("D", &D, "D/D"); t.Branch("O", &O, "O/O");
  Float16_t f16, f16r, f16b; Double32_t d32, d32r, d32m;
  t.Branch("f16", &f16, "f16/f"); t.Branch("f16r", &f16r, "f16r/f[0,200]"); t.Branch("f16b", &f16b, "f16b/f[0,200,10]");
  t.Branch("d32", &d32, "d32/d"); t.Branch("d32r", &d32r, "d32r/d[0,200,16]"); t.Branch("d32m", &d32m, "d32m/d[0,0,8]");
  float met, x0, fixed[3]; Float16_t shortened[2];
  t.Branch("p_{T}^{miss} [GeV]", &met, "met/F"); t.Branch("x[0]", &x0, "x0/F");
  t.Branch("fixed", fixed, "fixed[3]/F")->SetTitle("three numbers"); t.Branch("shortened", shortened, "shortened[2]/f[0,200,10]");
  int n; double counted[8]; Float16_t counted16[8];
  t.Branch("n", &n, "n/I"); t.Branch("counted", counted, "counted[n]/D"); t.Branch("counted16", counted16, "counted16[n]/f[0,200,12]");
  std::vector<float> vf; std::vector<double> vd; std::vector<int> vi; std::vector<unsigned> vu; std::vector<short> vs;
  std::vector<unsigned short> vus; std::vector<char> vc; std::vector<unsigned char> vuc; std::vector<Long64_t> vl;
  std::vector<ULong64_t> vul; std::vector<bool> vb;
  t.Branch("vf", &vf); t.Branch("vd", &vd); t.Branch("vi", &vi); t.Branch("vu", &vu); t.Branch("vs", &vs); t.Branch("vus", &vus);
  t.Branch("vc", &vc); t.Branch("vuc", &vuc); t.Branch("vl", &vl); t.Branch("vul", &vul); t.Branch("vb", &vb);
  for (int event = 0; event < events; event++) {
    B = r.Integer(100) - 50; b = r.Integer(200); S = r.Integer(60000) - 30000; s = r.Integer(60000);
    I = r.Integer(100); i = 4000000000u - r.Integer(9); L = -(1LL << 52) + r.Integer(99); l = (1ULL << 52) + r.Integer(99);
    F = r.Gaus(); D = r.Gaus(); O = r.Integer(2);
    f16 = r.Uniform(100); f16r = r.Uniform(100); f16b = r.Uniform(100); d32 = r.Uniform(100); d32r = r.Uniform(100); d32m = r.Uniform(100);
    met = r.Exp(30); x0 = r.Gaus();
    for (auto &x : fixed) x = r.Gaus();
    for (auto &x : shortened) x = r.Uniform(200);
    n = event % 6;
    for (int k = 0; k < n; k++) { counted[k] = r.Gaus(); counted16[k] = r.Uniform(200); }
    fill(vf, r, 100); fill(vd, r, 100); fill(vi, r, 100); fill(vu, r, 100); fill(vs, r, 100); fill(vus, r, 100);
    fill(vc, r, 100); fill(vuc, r, 100); fill(vl, r, 100); fill(vul, r, 100); fill(vb, r, 2);
    t.Fill();
  }
  t.SetAlias("twice", "2*F");
  t.GetUserInfo()->Add(new TNamed("author", "ROOT"));
  t.GetUserInfo()->Add(new TParameter<double>("luminosity", 1.5));
  t.Write();
}
