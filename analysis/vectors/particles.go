package vectors

import (
	"math"
	"slices"
	"strings"
)

// Particle is a kind of particle that the name of a branch or a code can speak of.
type Particle struct {
	Name  string   // "muon"
	Code  int      // of the Particle Data Group, of the particle or the antiparticle, positive
	Mass  float64  // GeV
	Names []string // what branches call it, in lower case, without charge and number
}

// particles have the masses of the Particle Data Group's review of 2024. What ambiguous names such as
// h, d, b and t speak of, hadrons or Higgs bosons, down quarks or D mesons, is not guessed.
var particles = [...]Particle{
	{"electron", 11, 0.00051099895, []string{"e", "el", "ele", "elec", "electron", "positron"}},
	{"muon", 13, 0.1056583755, []string{"mu", "muon"}},
	{"tau", 15, 1.77693, []string{"tau"}},
	{"photon", 22, 0, []string{"gamma", "gam", "photon", "ph", "pho"}},
	{"neutrino", 12, 0, []string{"nu", "neutrino"}},
	{"neutrino", 14, 0, nil},
	{"neutrino", 16, 0, nil},
	{"pion", 211, 0.13957039, []string{"pi", "pion"}},
	{"neutral pion", 111, 0.1349768, nil},
	{"kaon", 321, 0.493677, []string{"k", "kaon"}},
	{"neutral kaon", 310, 0.497611, []string{"ks", "kshort"}},
	{"proton", 2212, 0.93827208816, []string{"proton", "prot", "pbar", "antiproton"}},
	{"neutron", 2112, 0.93956542052, []string{"neutron"}},
	{"Λ", 3122, 1.115683, []string{"lambda"}},
	{"D0", 421, 1.86484, nil},
	{"D+", 411, 1.86966, nil},
	{"Ds", 431, 1.96835, []string{"ds"}},
	{"B+", 521, 5.27941, nil},
	{"B0", 511, 5.27972, nil},
	{"Bs", 531, 5.36693, []string{"bs"}},
	{"J/ψ", 443, 3.0969, []string{"jpsi"}},
	{"Υ(1S)", 553, 9.4604, nil},
	{"Z", 23, 91.188, []string{"z", "zboson"}},
	{"W", 24, 80.3692, []string{"w", "wboson"}},
	{"Higgs boson", 25, 125.20, []string{"higgs"}},
	{"top quark", 6, 172.57, []string{"top"}},
}

// Named returns the particle that the words of a name speak of; nil if they speak of none that is known, or of
// several. A charge and a number may follow in a word: mu2, Kplus, pim.
func Named(name string) *Particle {
	var found *Particle
	for _, t := range split(name) {
		p := named(t.text)
		if p == nil {
			continue
		}
		if found != nil && found != p {
			return nil
		}
		found = p
	}
	return found
}

func named(word string) *Particle {
	for _, charge := range [...]string{"", "plus", "minus", "p", "m", "s"} {
		stem, ok := strings.CutSuffix(word, charge)
		if !ok || stem == "" {
			continue
		}
		if i := slices.IndexFunc(particles[:], func(p Particle) bool { return slices.Contains(p.Names, stem) }); i >= 0 {
			return &particles[i]
		}
	}
	return nil
}

// Coded returns the particle of a code of the Particle Data Group; nil if it is not known.
func Coded(code float64) *Particle {
	if i := slices.IndexFunc(particles[:], func(p Particle) bool { return float64(p.Code) == math.Abs(code) }); i >= 0 {
		return &particles[i]
	}
	return nil
}

// weighing returns the known particle whose mass is m GeV within err; nil if there is none, or more than one.
func weighing(m, err float64) *Particle {
	var found *Particle
	for i := range particles {
		p := &particles[i]
		if math.Abs(p.Mass-m) > err {
			continue
		}
		if found != nil && found.Mass != p.Mass {
			return nil
		}
		if found == nil {
			found = p
		}
	}
	return found
}
