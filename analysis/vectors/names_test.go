package vectors

import (
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// conventions are names of branches as experiments and tools write them, and the vectors that are to be seen in them, each as
// name(components).
var conventions = []struct{ names, vectors string }{
	// CMS
	{"Run Event pt1 eta1 phi1 Q1 dxy1 iso1 pt2 eta2 phi2 Q2 dxy2 iso2", "p1(pt1,eta1,phi1) p2(pt2,eta2,phi2)"},
	{"E1 px1 py1 pz1 pt1 eta1 phi1 Q1 E2 px2 py2 pz2 pt2 eta2 phi2 Q2 M", "p1(pt1,eta1,phi1,px1,py1,pz1,E1) p2(pt2,eta2,phi2,px2,py2,pz2,E2)"},
	{"Muon_pt Muon_eta Muon_phi Muon_mass Muon_charge Muon_ptErr", "Muon(Muon_pt,Muon_eta,Muon_phi,Muon_mass)"},
	{"Muon_pt_0 Muon_eta_0 Muon_phi_0 Muon_pt_1 Muon_eta_1 Muon_phi_1", "Muon_0(Muon_pt_0,Muon_eta_0,Muon_phi_0) Muon_1(Muon_pt_1,Muon_eta_1,Muon_phi_1)"},
	{"MET_pt MET_phi MET_sumEt MET_significance", "MET(MET_pt,MET_phi)"},
	{"PuppiMET_pt PuppiMET_phi PuppiMET_ptUnclusteredUp", "PuppiMET(PuppiMET_pt,PuppiMET_phi)"},
	{"pt_1 eta_1 phi_1 m_1 q_1 pt_2 eta_2 phi_2 m_2 q_2 m_vis mt_1", "p1(pt_1,eta_1,phi_1,m_1) p2(pt_2,eta_2,phi_2,m_2)"},
	{"jpt_1 jeta_1 jphi_1 met metphi", "met(met,metphi) j_1(jpt_1,jeta_1,jphi_1)"},
	{"px1 py1 pz1 px2 py2 pz2", "p1(px1,py1,pz1) p2(px2,py2,pz2)"},
	{"Jet_Px Jet_Py Jet_Pz Jet_E MET_px MET_py", "Jet(Jet_Px,Jet_Py,Jet_Pz,Jet_E) MET(MET_px,MET_py)"},
	{"leadMuonPt leadMuonEta leadMuonPhi", "leadMuon(leadMuonPt,leadMuonEta,leadMuonPhi)"},
	{"HTXS_Higgs_pt HTXS_Higgs_y", ""},
	{"Jet_pt_nom Jet_eta Jet_phi", ""},
	{"fatjet1_pt fatjet1_eta fatjet1_phi fatjet1_msoftdrop", "fatjet1(fatjet1_pt,fatjet1_eta,fatjet1_phi)"},
	{"MET_pt_jesUp MET_phi_jesUp", "MET_jesUp(MET_pt_jesUp,MET_phi_jesUp)"},
	{"METPt METPhi", "MET(METPt,METPhi)"},
	{"GenMET GenMETPhi", "GenMET(GenMET,GenMETPhi)"},
	// ATLAS
	{"lep_pt lep_eta lep_phi lep_E lep_charge lep_z0", "lep(lep_pt,lep_eta,lep_phi,lep_E)"},
	{"PRI_tau_pt PRI_tau_eta PRI_tau_phi PRI_met PRI_met_phi PRI_met_sumet PRI_jet_all_pt", "tau(PRI_tau_pt,PRI_tau_eta,PRI_tau_phi) met(PRI_met,PRI_met_phi)"},
	{"lep1_pt lep1_eta lep1_phi lep2_pt lep2_eta lep2_phi", "lep1(lep1_pt,lep1_eta,lep1_phi) lep2(lep2_pt,lep2_eta,lep2_phi)"},
	{"tau_pt tau_eta tau_phi tau_m", "tau(tau_pt,tau_eta,tau_phi,tau_m)"},
	{"met_et met_phi met_sumet", "met(met_et,met_phi)"},
	{"el_et el_eta el_phi ph_pt ph_eta ph_phi", "el(el_et,el_eta,el_phi) ph(ph_pt,ph_eta,ph_phi)"},
	{"lepton_0_p4_pt lepton_0_p4_eta lepton_0_p4_phi", "lepton_0_p4(lepton_0_p4_pt,lepton_0_p4_eta,lepton_0_p4_phi)"},
	{"jet.pt jet.eta jet.phi jet.e", "jet(jet.pt,jet.eta,jet.phi,jet.e)"},
	{"METx METy", "MET(METx,METy)"},
	{"met_x met_y", "met(met_x,met_y)"},
	{"TruthMuonPt TruthMuonEta TruthMuonPhi", "TruthMuon(TruthMuonPt,TruthMuonEta,TruthMuonPhi)"},
	// LHCb
	{"mu1_PX mu1_PY mu1_PZ mu1_PE mu1_PT mu1_ID mu1_ProbNNmu", "mu1(mu1_PX,mu1_PY,mu1_PZ,mu1_PE)"},
	{"B_PT B_ETA B_PHI B_M B_FD_OWNPV", "B(B_PT,B_ETA,B_PHI,B_M)"},
	{"Kplus_PX Kplus_PY Kplus_PZ Kplus_PE Kplus_P", "Kplus(Kplus_PX,Kplus_PY,Kplus_PZ,Kplus_PE,Kplus_P)"},
	{"H1_PX H1_PY H1_PZ H1_ProbK H1_Charge", "H1(H1_PX,H1_PY,H1_PZ)"},
	{"B_TRUEP_X B_TRUEP_Y B_TRUEP_Z B_TRUEP_E B_TRUEPT", "B_TRUE(B_TRUEP_X,B_TRUEP_Y,B_TRUEP_Z,B_TRUEP_E)"},
	{"K_TRUEM K_TRUEE K_TRUEPX K_TRUEPY K_TRUEPZ K_TRUEPT K_TRUEETA K_TRUEPHI", "K_TRUE(K_TRUEPT,K_TRUEETA,K_TRUEPHI,K_TRUEPX,K_TRUEPY,K_TRUEPZ,K_TRUEE,K_TRUEM)"},
	{"B_OWNPV_X B_OWNPV_Y B_OWNPV_Z B_ENDVERTEX_X B_ENDVERTEX_Y", ""},
	// Belle, BaBar
	{"gamma_px gamma_py gamma_pz gamma_E", "gamma(gamma_px,gamma_py,gamma_pz,gamma_E)"},
	{"px_CMS py_CMS pz_CMS E_CMS", "CMS(px_CMS,py_CMS,pz_CMS,E_CMS)"},
	{"K_mcPX K_mcPY K_mcPZ K_mcE K_mcPDG", "K_mc(K_mcPX,K_mcPY,K_mcPZ,K_mcE)"},
	{"Mbc deltaE cosTBTO R2", ""},
	{"pi_0_px pi_0_py pi_0_pz pi_1_px pi_1_py pi_1_pz", "pi_0(pi_0_px,pi_0_py,pi_0_pz) pi_1(pi_1_px,pi_1_py,pi_1_pz)"},
	// neutrinos, GENIE, FairShip
	{"px py pz Enu pdg", "p(px,py,pz)"},
	{"pxv pyv pzv Ev pxl pyl pzl El cthl", "v(pxv,pyv,pzv,Ev) l(pxl,pyl,pzl,El)"},
	{"Enu_true Q2 Mode tgt PDGLep ELep CosLep flagCC0pi", ""},
	{"true_energy true_coszen reco_energy reco_coszen pdg cc weighted_aeff", ""},
	{"x y z px py pz E pdg w", "p(px,py,pz,E)"},
	{"mom_x mom_y mom_z vtx_x vtx_y vtx_z", "p(mom_x,mom_y,mom_z)"},
	// Delphes, EDM4hep, STAR, ROOT's classes
	{"Electron.PT Electron.Eta Electron.Phi Electron.Charge", "Electron(Electron.PT,Electron.Eta,Electron.Phi)"},
	{"MissingET.MET MissingET.Phi MissingET.Eta", "MissingET(MissingET.MET,MissingET.Phi)"},
	{"Tower.ET Tower.Eta Tower.Phi Tower.E", "Tower(Tower.ET,Tower.Eta,Tower.Phi,Tower.E)"},
	{"momentum.x momentum.y momentum.z energy mass charge PDG", "p(momentum.x,momentum.y,momentum.z,energy,mass)"},
	{"mPx mPy mPz mEnergy mMass mVx mVy mVz", "m(mPx,mPy,mPz,mEnergy,mMass)"},
	{"jet.fCoordinates.fPt jet.fCoordinates.fEta jet.fCoordinates.fPhi jet.fCoordinates.fE", "jet.fCoordinates.f(jet.fCoordinates.fPt,jet.fCoordinates.fEta,jet.fCoordinates.fPhi,jet.fCoordinates.fE)"},
	{"pT eta phi p dEdxITS dEdxTPC", "p(pT,eta,phi,p)"},
	// what people write by hand
	{"ptmu etamu phimu", "mu(ptmu,etamu,phimu)"},
	{"leppt lepeta lepphi", "lep(leppt,lepeta,lepphi)"},
	{"ptl1 etal1 phil1 ptl2 etal2 phil2", "l1(ptl1,etal1,phil1) l2(ptl2,etal2,phil2)"},
	{"p_{T} η φ", ""},
	{"PT_MUON ETA_MUON PHI_MUON", "MUON(PT_MUON,ETA_MUON,PHI_MUON)"},
	{"phi_pt phi_eta phi_phi", "phi(phi_pt,phi_eta,phi_phi)"},
	{"e_px e_py e_pz", "e(e_px,e_py,e_pz)"},
	// what must not be taken
	{"x y z", ""},
	{"pt eta", ""},
	{"pt1 eta2 phi1", ""},
	{"pt_ratio eta_ratio phi_ratio", ""},
	{"dpt deta dphi", ""},
	{"pxErr pyErr pzErr", ""},
	{"delta_pt delta_eta delta_phi", ""},
	{"pt_res sigma_px sigma_py sigma_pz", ""},
	{"theta phi costheta", ""},
	{"npx npy chi2", ""},
	{"alpha beta gamma", ""},
	{"a", ""},
	{"", ""},
	{"___ ... []", ""},
	{"vtx_px_cov vtx_py_cov vtx_pz_cov", ""},
}

// describe writes vectors as the table above does.
func describe(found []Vector) string {
	var all []string
	for _, v := range found {
		var columns []string
		for r := range roles {
			if r == charge || r == code {
				continue
			}
			isLone := r == pt && !v.IsPolar()
			if name := *v.slot(r); name != "" && !isLone {
				columns = append(columns, name)
			}
		}
		all = append(all, v.Name+"("+strings.Join(columns, ",")+")")
	}
	return strings.Join(all, " ")
}

func TestNames(t *testing.T) {
	for _, c := range conventions {
		var fields []rootio.Field
		for _, name := range strings.Fields(c.names) {
			fields = append(fields, rootio.Field{Name: name, Kind: rootio.Float32})
		}
		if got := describe(propose(fields)); got != c.vectors {
			t.Errorf("%s:\n  got  %s\n  want %s", c.names, got, c.vectors)
		}
	}
}

func TestNamed(t *testing.T) {
	for name, want := range map[string]string{
		"mu1": "muon", "Muon": "muon", "mu_plus": "muon", "muminus": "muon", "leadMuon": "muon", "Muons_0": "muon",
		"K": "kaon", "Kplus": "kaon", "pim": "pion", "pi_0": "pion", "em": "electron", "ep": "electron", "e2": "electron", "Electron": "electron",
		"gamma": "photon", "PRI_tau": "tau", "proton": "proton", "Lambda0": "Λ",
		"H1": "", "p1": "", "lep": "", "jet": "", "B": "", "mu_from_tau": "", "": "", "K_pi": "", "emu": "", "p_1": "",
	} {
		got := ""
		if p := Named(name); p != nil {
			got = p.Name
		}
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
