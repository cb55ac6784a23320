package column

// The thresholds by which columns are told apart. Those of one function alone stand in it, with their
// reasons.
const (
	// MaxCodes is the number of distinct values up to which a column is one of
	// codes, see [AreFew]; mostUneven that for values that are not equidistant.
	MaxCodes   = 256
	mostUneven = 4096
	// eventsPerFloatCode is the number of events per distinct value above which
	// floating-point values are codes rather than a small sample.
	eventsPerFloatCode = 20
	// filledEnough is the part of the values that a column of rounded numbers could have and has, from
	// which on they are equidistant.
	filledEnough = 0.8

	// mostIndicators is the number of codes up to which each has a feature of its own in a
	// condition.
	mostIndicators = 16

	// MostNoisy is the number of cells up to which the point within a cell matters.
	// Where there are more it is always the middle, which keeps some 10⁶ cells apart in
	// float32.
	MostNoisy = 1 << 17

	// maxExact is the largest integer up to which all are exact in float64.
	maxExact = 1 << 53

	// A spike has at least fewestInSpike events, and leastSpike of the weights; spikeContrast is how
	// many times the events of the values nearby it must have.
	fewestInSpike = 8
	leastSpike    = 1e-6
	spikeContrast = 10
	mostSpikes    = 250

	// fewestRounded is the number of different values from which on they are
	// believed to be rounded, when all are multiples of a step that is at least
	// stepInULP times as large as the spacing of floating-point numbers there: by
	// chance, the probability is below (3/8)^10.
	fewestRounded = 10
	stepInULP     = 8
	mostDigits    = 12
	// These are the bits up to which values of a type are believed to be of a lower precision:
	// ten float32 have four bits less by chance with a probability of 10⁻¹²; and a float64 that
	// was computed from float32 has more than these, but not all.
	mostBitsOfFloat32 = 19
	mostBitsOfFloat64 = 23

	mantissa = 52 // bits of that of a float64
)

// AreFew reports whether so many distinct values of n events are few enough to be codes:
// of floating-point numbers there must be many events for each.
func AreFew(distinct, n int, isFloat bool) bool {
	return distinct == 1 || distinct <= MaxCodes && (!isFloat || distinct*eventsPerFloatCode <= n)
}
