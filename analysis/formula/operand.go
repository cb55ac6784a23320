package formula

import (
	"math"
	"slices"
	"strings"
)

// Operand is what a formula is computed from: a column, or the columns of a momentum.
type Operand struct {
	Name    string   `json:"name"`
	Form    string   `json:"form"`    // one of [Forms]
	Columns []string `json:"columns"` // in the order of the form

	// Mass is that of a momentum of a form without mass and energy.
	Mass float64 `json:"mass,omitempty"`

	// Absent, unless it is nil, is the value that the first column has in events without it. NaN says so always.
	Absent *float64 `json:"absent,omitempty"`
}

// Value is an operand in an event: the number of a column, or a momentum.
type Value struct {
	X            float64 // of a column
	PT, Eta, Phi float64
	PX, PY, PZ   float64
	M, E         float64
	MT, Y        float64 // transverse mass √(m² + pT²) and rapidity
}

// form is a way to read an operand from columns.
type form struct {
	name string // the columns
	read func(v *Value, x []float64, mass float64)
}

// The forms that there are. Energies and masses in them are columns.
const (
	Number     = "x"
	PT         = "pt" // transverse, with azimuth 0
	Transverse = "pt phi"
	Direction  = "eta phi"
	Polar      = "pt eta phi"
	PolarMass  = "pt eta phi m"
	PolarE     = "pt eta phi e"
	PxPy       = "px py"
	PxPyPz     = "px py pz"
	PxPyPzMass = "px py pz m"
	PxPyPzE    = "px py pz e"
)

var forms = []form{
	{Number, func(v *Value, x []float64, _ float64) { v.X = x[0] }},
	{PT, func(v *Value, x []float64, _ float64) { v.polar(x[0], 0, 0); v.massive(0) }},
	{Transverse, func(v *Value, x []float64, _ float64) { v.polar(x[0], 0, x[1]); v.massive(0) }},
	{Direction, func(v *Value, x []float64, _ float64) { v.Eta, v.Phi = x[0], x[1] }},
	{Polar, func(v *Value, x []float64, mass float64) { v.polar(x[0], x[1], x[2]); v.massive(mass) }},
	{PolarMass, func(v *Value, x []float64, _ float64) { v.polar(x[0], x[1], x[2]); v.massive(x[3]) }},
	{PolarE, func(v *Value, x []float64, _ float64) { v.polar(x[0], x[1], x[2]); v.energetic(x[3]) }},
	{PxPy, func(v *Value, x []float64, _ float64) { v.cartesian(x[0], x[1], 0); v.massive(0) }},
	{PxPyPz, func(v *Value, x []float64, mass float64) { v.cartesian(x[0], x[1], x[2]); v.massive(mass) }},
	{PxPyPzMass, func(v *Value, x []float64, _ float64) { v.cartesian(x[0], x[1], x[2]); v.massive(x[3]) }},
	{PxPyPzE, func(v *Value, x []float64, _ float64) { v.cartesian(x[0], x[1], x[2]); v.energetic(x[3]) }},
}

func formNamed(name string) *form {
	for i := range forms {
		if forms[i].name == name {
			return &forms[i]
		}
	}
	return nil
}

// IsSound reports whether an operand that was read from a file makes sense.
func (o *Operand) IsSound() bool {
	return formNamed(o.Form) != nil && len(o.Columns) == len(strings.Fields(o.Form)) && !slices.Contains(o.Columns, "") && o.Mass >= 0
}

// IsAbsent reports whether an event is without the operand, of which the columns have the values x.
func (o *Operand) IsAbsent(x []float64) bool {
	return o.Absent != nil && x[0] == *o.Absent || slices.ContainsFunc(x, math.IsNaN)
}

// Reader returns the function that makes an operand's value of those of its columns.
func (o *Operand) Reader() func(v *Value, x []float64) {
	read, mass := formNamed(o.Form).read, o.Mass
	return func(v *Value, x []float64) { read(v, x, mass) }
}

// Least is where momenta and masses that are divided by begin.
const Least = 1e-150

func (v *Value) polar(pt, eta, phi float64) {
	sin, cos := math.Sincos(phi)
	v.PT, v.Eta, v.Phi = pt, eta, phi
	v.PX, v.PY, v.PZ = pt*cos, pt*sin, 0
	if eta != 0 {
		v.PZ = pt * math.Sinh(eta)
	}
}

func (v *Value) cartesian(x, y, z float64) {
	v.PX, v.PY, v.PZ = x, y, z
	v.PT = math.Hypot(x, y)
	v.Phi, v.Eta = math.Atan2(y, x), 0
	if z != 0 {
		v.Eta = math.Asinh(z / max(v.PT, Least))
	}
}

// massive completes a momentum by its mass.
func (v *Value) massive(m float64) {
	v.M = m
	v.MT = math.Sqrt(v.PT*v.PT + m*m)
	v.E = math.Sqrt(v.MT*v.MT + v.PZ*v.PZ)
	v.rapidity()
}

// energetic completes a momentum by its energy. A negative square of the mass is that of rounding.
func (v *Value) energetic(e float64) {
	v.E = e
	p := math.Sqrt(v.PT*v.PT + v.PZ*v.PZ)
	v.M = math.Sqrt(max((e-p)*(e+p), 0))
	v.MT = math.Sqrt(v.PT*v.PT + v.M*v.M)
	v.rapidity()
}

func (v *Value) rapidity() {
	v.Y = 0
	if v.PZ != 0 {
		v.Y = math.Asinh(v.PZ / max(v.MT, Least))
	}
}

// P is the magnitude of the momentum.
func (v *Value) P() float64 { return math.Sqrt(v.PT*v.PT + v.PZ*v.PZ) }

// times is E₁E₂ − p₁·p₂, as a sum of terms that are not negative, so that no digits are lost.
func (v *Value) times(w *Value) float64 {
	y, sin := math.Sinh((v.Y-w.Y)/2), math.Sin((v.Phi-w.Phi)/2)
	mt, pt := v.MT*w.MT, v.PT*w.PT
	return 2*mt*y*y + 2*pt*sin*sin + (v.M*v.M*w.MT*w.MT+v.PT*v.PT*w.M*w.M)/max(mt+pt, Least)
}

// mass2 is the square of the mass of a sum, M² = Σ mᵢ² + 2 Σ (EᵢEⱼ − pᵢ·pⱼ).
func mass2(v []*Value) (m2 float64) {
	for i, a := range v {
		m2 += a.M * a.M
		for _, b := range v[:i] {
			m2 += 2 * a.times(b)
		}
	}
	return m2
}

// sum returns the components of the sum of momenta.
func sum(v []*Value) (px, py, pz, e float64) {
	for _, a := range v {
		px, py, pz, e = px+a.PX, py+a.PY, pz+a.PZ, e+a.E
	}
	return px, py, pz, e
}

// deltaPhi is φ₁ − φ₂, in [−π, π].
func deltaPhi(v []*Value) float64 { return math.Remainder(v[0].Phi-v[1].Phi, 2*math.Pi) }
