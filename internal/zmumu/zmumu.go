// Package zmumu generates pp → Z/γ* → µ⁺µ⁻ events whose probability density
// is known in closed form, so that a model trained on them can be compared
// with the truth event by event.
//
// An event is six numbers: the mass m, the rapidity y, the transverse momentum
// pT and the azimuth φ of the pair, and the direction of the µ⁻ in the
// Collins–Soper frame of the pair. Their density is a product of conditionals:
//
//   - m: a relativistic Breit–Wigner in m² plus a continuum falling as m⁻ᵏ,
//     both between MassMin and MassMax.
//   - y given m: ∝ (1 − (y/Y)²)ᵃ for |y| < Y = ln(√s/m).
//   - pT given m, y: ∝ pT (1 + pT²/σ²)^−(b+1), up to the kinematic limit of
//     pp → Z X, m_T cosh y ≤ (s + m²)/(2√s), which is |y| ≤ Y at pT = 0. The
//     scale σ grows with m and shrinks towards the ends of the rapidity range.
//   - φ: uniform.
//   - cosθ*, φ* given m, y, pT: the annihilating quark flies along one hadron
//     or the other as they are seen from the pair at rest, and about that axis
//     the µ⁻ follows 1 + c² + αc.
//
// In the usual expansion in angular coefficients the last factor is
//
//	3/16π [1 + c² + A₀/2 (1 − 3c²) + A₁ sin2θ* cosφ*
//	       + A₂/2 sin²θ* cos2φ* + A₃ sinθ* cosφ* + A₄ c],  c = cosθ*
//
// with A₀ = A₂ = pT²/m_T² (the Lam–Tung relation), A₁ = h pT m/m_T²,
// A₃ = αh pT/m_T and A₄ = α m/m_T, where m_T² = m² + pT². The forward–backward
// asymmetry α changes its sign near the Z and grows with |y|; h is the
// preference for one of the hadrons. As 1 + c² + αc is a sum of two squares for
// |α| ≤ 2, the density is nowhere negative, and as it is a mixture it is drawn
// without rejection.
//
// This geometry is that of Peng, Chang, McClellan and Teryaev,
// arXiv:1511.08932; the frame is that of Collins and Soper, Phys. Rev. D 16
// (1977) 2219, with its z axis on the side of the pair's rapidity, as in
// measurements at the LHC.
package zmumu

import (
	"math"
	"slices"

	"go-hep.org/x/hep/fmom"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// MuonMass is the mass of the muon in GeV (PDG).
const MuonMass = 0.1056583755

// Generator holds the parameters of the density.
type Generator struct {
	SqrtS      float64 `json:"sqrt_s"`      // energy of the collision, GeV
	Mass       float64 `json:"mass"`        // mass M of the Z, GeV
	Width      float64 `json:"width"`       // width Γ of the Z, GeV
	MassMin    float64 `json:"mass_min"`    // lower end of the mass range, GeV, above 2 MuonMass
	MassMax    float64 `json:"mass_max"`    // upper end of the mass range, GeV, below SqrtS
	Resonant   float64 `json:"resonant"`    // fraction of events in the resonance, 0 to 1
	MassFall   float64 `json:"mass_fall"`   // power k of the continuum m⁻ᵏ, not 1
	RapPower   int     `json:"rap_power"`   // power a of the rapidity distribution, at least 0
	PtScale    float64 `json:"pt_scale"`    // σ at m = M, y = 0, GeV
	PtGrowth   float64 `json:"pt_growth"`   // σ grows as this power of m/M
	PtShrink   float64 `json:"pt_shrink"`   // and falls by this fraction from y = 0 to |y| = Y, below 1
	PtTail     float64 `json:"pt_tail"`     // b: the spectrum falls as pT^−(2b+1)
	AsymMax    float64 `json:"asym_max"`    // largest |α|, at most 2
	AsymZero   float64 `json:"asym_zero"`   // mass where α changes sign, GeV
	AsymMass   float64 `json:"asym_mass"`   // α ∝ tanh((m − AsymZero)/AsymMass), GeV
	AsymRap    float64 `json:"asym_rap"`    // α, h ∝ tanh(|y|/AsymRap)
	AsymHadron float64 `json:"asym_hadron"` // largest h: how much one hadron is preferred to the other, at most 1
}

// Default returns the parameters of the demonstration: collisions at 13 TeV.
// Masses and widths are the PDG's; the other shapes are like those measured at
// the LHC.
func Default() Generator {
	return Generator{
		SqrtS:      13000,
		Mass:       91.1876,
		Width:      2.4952,
		MassMin:    50,
		MassMax:    150,
		Resonant:   0.9,
		MassFall:   4,
		RapPower:   2,
		PtScale:    11,
		PtGrowth:   0.5,
		PtShrink:   0.4,
		PtTail:     1.5,
		AsymMax:    1.2,
		AsymZero:   89.5,
		AsymMass:   12,
		AsymRap:    2,
		AsymHadron: 0.4,
	}
}

// Event is one µ⁺µ⁻ pair.
type Event struct {
	Mass     float64 // GeV
	Y        float64 // rapidity
	Pt       float64 // GeV
	Phi      float64 // azimuth of the pair, −π to π
	CosTheta float64 // cosine of the polar angle of the µ⁻, Collins–Soper frame
	PhiStar  float64 // its azimuth in that frame, −π to π, from the pair's transverse direction
}

// stream keeps the deviates of the events apart from all others of the same
// seed. It spells "zmumu".
const stream = 0x7a6d756d75

// Events fills dst with the events first, first+1, … of the sample that seed
// names. An event depends on seed and its own number only.
func (g Generator) Events(dst []Event, seed, first uint64) {
	u := make([]float64, g.deviates())
	for i := range dst {
		philox.Uniform64(u, seed, stream, (first+uint64(i))*uint64(len(u)))
		dst[i] = g.event(u)
	}
}

// deviates is the number of uniform deviates that an event takes.
func (g Generator) deviates() int { return 8 + 2*g.RapPower + 1 }

// event turns uniform deviates in (0, 1) into an event.
func (g Generator) event(u []float64) Event {
	var e Event
	e.Mass = g.massAt(u[0], u[1])
	pt, axis, helicity, polar, azimuth := u[2], u[4], u[5], u[6], u[7]
	e.Phi = math.Pi * (1 - 2*u[3])

	// The median of 2a+1 uniform deviates follows u^a (1−u)^a.
	rap := u[8:]
	slices.Sort(rap)
	e.Y = g.rapMax(e.Mass) * (2*rap[g.RapPower] - 1)

	ptMax, sigma := g.ptMax(e.Mass, e.Y), g.ptScale(e.Mass, e.Y)
	tail := -math.Log1p(-pt*ptFraction(ptMax/sigma, g.PtTail)) / g.PtTail
	e.Pt = min(ptMax, sigma*math.Sqrt(math.Expm1(tail)))

	// The µ⁻ about the quark: (1+c)² or (1−c)² by helicity.
	alpha, h := g.asymmetries(e.Mass, e.Y)
	c := 2*math.Cbrt(polar) - 1
	if helicity > 0.5+alpha/4 {
		c = -c
	}
	s := math.Sqrt((1 - c) * (1 + c))
	sinPhi, cosPhi := math.Sincos(2 * math.Pi * azimuth)

	// The quark in the x–z plane, as one hadron or the other is seen.
	vz, vx := e.Mass, e.Pt
	if axis > 0.5+h/2 {
		vx = -vx
	}
	norm := math.Hypot(vz, vx)
	vz, vx = vz/norm, vx/norm

	nx := vx*c + vz*s*cosPhi
	ny := s * sinPhi
	nz := vz*c - vx*s*cosPhi
	e.CosTheta = max(-1, min(1, nz))
	e.PhiStar = math.Atan2(ny, nx)
	return e
}

// LogDensity returns the natural logarithm of the density of e with respect to
// dm dy dpT dφ dcosθ* dφ*, in GeV⁻². It is −Inf outside of the physical range.
func (g Generator) LogDensity(e Event) float64 {
	inside := e.Mass >= g.MassMin && e.Mass <= g.MassMax &&
		math.Abs(e.Y) < g.rapMax(e.Mass) &&
		e.Pt > 0 && e.Pt <= g.ptMax(e.Mass, e.Y) &&
		math.Abs(e.Phi) <= math.Pi &&
		math.Abs(e.CosTheta) <= 1 &&
		math.Abs(e.PhiStar) <= math.Pi
	if !inside {
		return math.Inf(-1)
	}
	return math.Log(g.massDensity(e.Mass)) +
		g.logRapDensity(e.Mass, e.Y) +
		g.logPtDensity(e.Mass, e.Y, e.Pt) -
		math.Log(2*math.Pi) +
		math.Log(g.angularDensity(e))
}

// massAt returns a mass: choice picks resonance or continuum, u the point of
// its cumulative distribution.
func (g Generator) massAt(choice, u float64) float64 {
	if choice < g.Resonant {
		lo, hi := g.massAngle(g.MassMin), g.massAngle(g.MassMax)
		m2 := g.Mass * (g.Mass + g.Width*math.Tan(lo+u*(hi-lo)))
		return max(g.MassMin, min(g.MassMax, math.Sqrt(m2)))
	}
	q := 1 - g.MassFall
	lo, hi := math.Pow(g.MassMin, q), math.Pow(g.MassMax, q)
	return max(g.MassMin, min(g.MassMax, math.Pow(lo+u*(hi-lo), 1/q)))
}

// massAngle is the integral of the Breit–Wigner in m², up to a factor.
func (g Generator) massAngle(m float64) float64 {
	return math.Atan((m*m - g.Mass*g.Mass) / (g.Mass * g.Width))
}

func (g Generator) massDensity(m float64) float64 {
	x := (m*m - g.Mass*g.Mass) / (g.Mass * g.Width)
	resonance := 2 * m / (g.Mass * g.Width * (1 + x*x) * (g.massAngle(g.MassMax) - g.massAngle(g.MassMin)))
	q := 1 - g.MassFall
	continuum := q * math.Pow(m, -g.MassFall) / (math.Pow(g.MassMax, q) - math.Pow(g.MassMin, q))
	return g.Resonant*resonance + (1-g.Resonant)*continuum
}

// rapMax is Y, the largest |y| that a pair of mass m can have.
func (g Generator) rapMax(m float64) float64 { return math.Log(g.SqrtS / m) }

func (g Generator) logRapDensity(m, y float64) float64 {
	a, yMax := float64(g.RapPower), g.rapMax(m)
	t := y / yMax
	whole, _ := math.Lgamma(2*a + 2)
	half, _ := math.Lgamma(a + 1)
	return a*math.Log((1-t)*(1+t)) + whole - 2*half - (2*a+1)*math.Ln2 - math.Log(yMax)
}

// ptMax is the largest pT of a pair that recoils against anything at all.
func (g Generator) ptMax(m, y float64) float64 {
	mt := (g.SqrtS + m*m/g.SqrtS) / (2 * math.Cosh(y))
	return math.Sqrt(max(0, (mt-m)*(mt+m)))
}

// ptScale is σ.
func (g Generator) ptScale(m, y float64) float64 {
	t := y / g.rapMax(m)
	return g.PtScale * math.Pow(m/g.Mass, g.PtGrowth) * (1 - g.PtShrink*t*t)
}

// ptFraction is the part of the power-tailed spectrum below x = pT/σ.
func ptFraction(x, b float64) float64 { return -math.Expm1(-b * math.Log1p(x*x)) }

func (g Generator) logPtDensity(m, y, pt float64) float64 {
	b, sigma := g.PtTail, g.ptScale(m, y)
	x := pt / sigma
	return math.Log(2*b*x/sigma) - (b+1)*math.Log1p(x*x) - math.Log(ptFraction(g.ptMax(m, y)/sigma, b))
}

// asymmetries returns α and h.
func (g Generator) asymmetries(m, y float64) (alpha, h float64) {
	side := math.Tanh(math.Abs(y) / g.AsymRap)
	return g.AsymMax * math.Tanh((m-g.AsymZero)/g.AsymMass) * side, g.AsymHadron * side
}

func (g Generator) angularDensity(e Event) float64 {
	alpha, h := g.asymmetries(e.Mass, e.Y)
	mt := math.Hypot(e.Mass, e.Pt)
	s := math.Sqrt((1 - e.CosTheta) * (1 + e.CosTheta))
	z, x := e.CosTheta*e.Mass/mt, s*math.Cos(e.PhiStar)*e.Pt/mt
	about := func(c float64) float64 { return 1 + c*(c+alpha) }
	return 3 / (16 * math.Pi) * ((1+h)/2*about(z+x) + (1-h)/2*about(z-x))
}

// Muons returns the four-momenta of the µ⁻ and the µ⁺ in the laboratory, in GeV.
func (e Event) Muons() (minus, plus fmom.PtEtaPhiM) {
	p := math.Sqrt(e.Mass*e.Mass/4 - MuonMass*MuonMass)
	s := math.Sqrt((1 - e.CosTheta) * (1 + e.CosTheta))
	sin, cos := math.Sincos(e.PhiStar)

	// z and, to stay right-handed, y point to the side of the pair's rapidity.
	side := math.Copysign(1, e.Y)
	x, y, z := p*s*cos, p*s*sin*side, p*e.CosTheta*side
	return e.lab(x, y, z), e.lab(-x, -y, -z)
}

// lab takes a muon of momentum (x, y, z) from the pair at rest to the laboratory:
// along the pair's transverse momentum first and along the beam
// second, which is what keeps the Collins–Soper axes on those of the laboratory.
func (e Event) lab(x, y, z float64) fmom.PtEtaPhiM {
	energy := e.Mass / 2
	mt := math.Hypot(e.Mass, e.Pt)
	x, energy = (mt*x+e.Pt*energy)/e.Mass, (mt*energy+e.Pt*x)/e.Mass
	z = z*math.Cosh(e.Y) + energy*math.Sinh(e.Y)
	sin, cos := math.Sincos(e.Phi)
	x, y = cos*x-sin*y, sin*x+cos*y
	pt := math.Hypot(x, y)
	return fmom.NewPtEtaPhiM(pt, math.Asinh(z/pt), math.Atan2(y, x), MuonMass)
}

// Divergence returns the Kullback–Leibler divergence of a model from the truth and
// its statistical error, in nats: the mean of log p_truth − log p_model over events
// of the truth, of which logDensity are the values of log p_model.
func (g Generator) Divergence(events []Event, logDensity []float64) (kl, sigma float64) {
	d := make([]float64, len(events))
	for i, e := range events {
		d[i] = g.LogDensity(e) - logDensity[i]
	}
	kl, sigma = stat.MeanStdDev(d, nil)
	return kl, sigma / math.Sqrt(float64(len(events)))
}

// Table returns events [first, first+n) of the sample that seed names as a
// table: the six variables as float64 in the branches mass, y, pt, phi, costheta
// and phistar, then pt, eta and phi of the µ⁻ (mu1) and of the µ⁺ (mu2) as
// float32.
func (g Generator) Table(seed, first uint64, n int) *rootio.Table {
	t := rootio.NewTable([]rootio.Field{
		{Name: "mass", Title: "mass of the muon pair [GeV]", Kind: rootio.Float64},
		{Name: "y", Title: "rapidity of the muon pair", Kind: rootio.Float64},
		{Name: "pt", Title: "pT of the muon pair [GeV]", Kind: rootio.Float64},
		{Name: "phi", Title: "azimuth of the muon pair [rad]", Kind: rootio.Float64},
		{Name: "costheta", Title: "cos(theta*) of the mu-, Collins-Soper", Kind: rootio.Float64},
		{Name: "phistar", Title: "phi* of the mu-, Collins-Soper [rad]", Kind: rootio.Float64},
		{Name: "mu1_pt", Title: "pT of the mu- [GeV]", Kind: rootio.Float32},
		{Name: "mu1_eta", Title: "pseudorapidity of the mu-", Kind: rootio.Float32},
		{Name: "mu1_phi", Title: "azimuth of the mu- [rad]", Kind: rootio.Float32},
		{Name: "mu2_pt", Title: "pT of the mu+ [GeV]", Kind: rootio.Float32},
		{Name: "mu2_eta", Title: "pseudorapidity of the mu+", Kind: rootio.Float32},
		{Name: "mu2_phi", Title: "azimuth of the mu+ [rad]", Kind: rootio.Float32},
	}, n)

	const chunk = 4096
	events := make([]Event, min(chunk, n))
	rows := make([]float64, len(t.Columns)*len(events))
	for lo := 0; lo < n; lo += chunk {
		events = events[:min(chunk, n-lo)]
		g.Events(events, seed, first+uint64(lo))
		for i, e := range events {
			minus, plus := e.Muons()
			for j, x := range [...]float64{
				e.Mass, e.Y, e.Pt, e.Phi, e.CosTheta, e.PhiStar,
				minus.Pt(), minus.Eta(), minus.Phi(),
				plus.Pt(), plus.Eta(), plus.Phi(),
			} {
				rows[j*len(events)+i] = x
			}
		}
		for j, c := range t.Columns {
			c.SetFloats(lo, rows[j*len(events):(j+1)*len(events)])
		}
	}
	return t
}
