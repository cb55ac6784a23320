package analysis

import "github.com/eidolon-hep/eidolon/analysis/surrogate"

// SetModel gives a FastSim a surrogate that is in no file.
func (t *FastSim) SetModel(s *surrogate.Surrogate) { t.in.model = s }
