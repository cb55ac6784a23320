package column

import "testing"

func TestUnit(t *testing.T) {
	for title, want := range map[string]string{
		"mass of the muon pair [GeV]": "GeV", "p_{T}^{miss} [GeV/c] ": "GeV/c", "drift [1/cm²]": "1/cm²", "#phi [rad]": "rad",
		"": "", "mass": "", "x[3]/F": "", "jet_pt[nJet]": "", "t [0,200]": "", "bin [3]": "", "[GeV]": "",
	} {
		if got := Unit(title); got != want {
			t.Errorf("the unit in %q is %q, want %q", title, got, want)
		}
	}
}
