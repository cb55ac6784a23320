package zmumu

import (
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// detectorSeed is the seed of the detector's deviates.
const detectorSeed = 4

// Response fills dst with reco pT over true pT of the muons first, first+1, … of a sample,
// which have the pseudorapidities eta. The resolution is 2 % at η = 0 and 5 % from
// |η| = 2.5 on. One muon in twenty has three times that resolution and loses 10 % of its pT.
func Response(dst, eta []float32, first uint64) {
	g, u := make([]float32, len(eta)), make([]float32, len(eta))
	philox.Normal(g, detectorSeed, 0, first)
	philox.Uniform(u, detectorSeed, 1, first)
	for i := range dst {
		sigma := 0.02 + 0.03*min(1, math.Abs(float64(eta[i]))/2.5)
		shift := 0.0
		if u[i] < 0.05 {
			sigma, shift = 3*sigma, 0.1
		}
		dst[i] = float32(math.Max(0.05, 1-shift+sigma*float64(g[i])))
	}
}

// Detected returns n events of the sample that seed names, of which only the µ⁻ is looked at:
// true_pt, true_eta, true_phi; reco_pt, by [Response], reco_eta, reco_phi; and reco_hits, the
// number of hits on its track.
func (g Generator) Detected(seed uint64, n int) *rootio.Table {
	var truth [3][]float32
	events := g.Table(seed, 0, n)
	for k, name := range []string{"mu1_pt", "mu1_eta", "mu1_phi"} {
		c, _ := events.Column(name)
		truth[k] = c.Values().([]float32)
	}
	pt, eta, phi, hits := make([]float32, n), make([]float32, n), make([]float32, n), make([]int32, n)
	z, u := make([]float32, 2*n), make([]float32, n)
	Response(pt, truth[1], 0)
	philox.Normal(z, detectorSeed, 2, 0)
	philox.Uniform(u, detectorSeed, 3, 0)
	for i := range n {
		pt[i] *= truth[0][i]
		eta[i] = truth[1][i] + 0.002*z[2*i]
		phi[i] = float32(math.Remainder(float64(truth[2][i]+0.002*z[2*i+1]), 2*math.Pi))
		hits[i] = 14 - int32(8*u[i]*u[i]) - min(4, int32(math.Abs(float64(eta[i]))))
	}
	return &rootio.Table{Columns: []rootio.Column{
		titled("true_pt", "true pT of the mu- [GeV]", truth[0]),
		titled("true_eta", "true pseudorapidity of the mu-", truth[1]),
		titled("true_phi", "true azimuth of the mu- [rad]", truth[2]),
		titled("reco_pt", "measured pT of the mu- [GeV]", pt),
		titled("reco_eta", "measured pseudorapidity of the mu-", eta),
		titled("reco_phi", "measured azimuth of the mu- [rad]", phi),
		titled("reco_hits", "hits on the track of the mu-", hits),
	}}
}

// Collections returns n events of the sample that seed names, in the form of NanoAOD: MET_pt,
// which measures the recoil of the pair, nMuon, and Muon_pt, Muon_eta, Muon_phi and Muon_charge of the muons with |η| < 2.4, in
// descending order of pT.
func (g Generator) Collections(seed uint64, n int) *rootio.Table {
	events := make([]Event, n)
	g.Events(events, seed, 0)
	z := make([]float32, 3*n)
	philox.Normal(z, detectorSeed, 4, 0)
	met, count, offsets := make([]float32, n), make([]uint32, n), make([]int, n+1)
	var pt, eta, phi []float32
	var charge []int32
	for i, e := range events {
		minus, plus := e.Muons()
		both := []struct {
			pt, eta, phi float64
			charge       int32
		}{{minus.Pt(), minus.Eta(), minus.Phi(), -1}, {plus.Pt(), plus.Eta(), plus.Phi(), 1}}
		if both[0].pt < both[1].pt {
			slices.Reverse(both)
		}
		for _, m := range both {
			if math.Abs(m.eta) < 2.4 {
				pt, eta, phi, charge = append(pt, float32(m.pt)), append(eta, float32(m.eta)), append(phi, float32(m.phi)), append(charge, m.charge)
			}
		}
		offsets[i+1] = len(pt)
		count[i] = uint32(offsets[i+1] - offsets[i])
		recoil := e.Pt * (0.9 + 0.15*float64(z[3*i]))
		met[i] = float32(math.Hypot(recoil+5*float64(z[3*i+1]), 5*float64(z[3*i+2])))
	}
	t := &rootio.Table{Columns: []rootio.Column{
		titled("MET_pt", "missing transverse momentum without the muons [GeV]", met),
		titled("nMuon", "number of muons", count),
	}}
	for _, c := range []rootio.Column{
		titled("Muon_pt", "pT [GeV]", pt), titled("Muon_eta", "pseudorapidity", eta),
		titled("Muon_phi", "azimuth [rad]", phi), titled("Muon_charge", "charge [e]", charge),
	} {
		c.Counter = "nMuon"
		t.Jagged = append(t.Jagged, rootio.Jagged{Column: c, Offsets: offsets})
	}
	return t
}

func titled[T rootio.Value](name, title string, values []T) rootio.Column {
	c := rootio.ColumnOf(name, values)
	c.Title = title
	return c
}
