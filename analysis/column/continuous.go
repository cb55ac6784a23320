package column

// Continuous columns have many distinct values that may lie anywhere between their edges.
var Continuous = Kind{continuous{}}

type continuous struct{ common }

func (continuous) name() string { return "continuous" }

func (continuous) is(*Data) bool { return true }

func (continuous) find(c *Column, d *Data) *Sample {
	s := c.findSpikes(d)
	if d.Within != nil {
		c.Min, c.Max = min(c.Min, d.Within[0]), max(c.Max, d.Within[1])
	}
	return s
}

func (continuous) close(c *Column, y float64) float64 {
	if c.Low != nil {
		y = max(y, *c.Low)
	}
	if c.High != nil {
		y = min(y, *c.High)
	}
	return y
}

func (continuous) IsLimited() bool         { return true }
func (continuous) describe(*Column) string { return "continuous" }
