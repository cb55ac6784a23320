package features

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestVectors checks that four-vectors are recognised, and that options overrule.
func TestVectors(t *testing.T) {
	table := muons(1000, 2.5, rand.New(rand.NewPCG(6, 7)))
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{}, "p1: pt1, eta1, phi1, taken as massless\np2: pt2, eta2, phi2, taken as massless"},
		{Options{NoVectors: true}, ""},
		{Options{NoVectors: true, Vectors: pair.Vectors[:1]}, "a: pt1, eta1, phi1, mass 0.1057 (declared)"},
		{Options{Vectors: pair.Vectors[1:]}, "b: pt2, eta2, phi2, mass 0.1057 (declared)\np1: pt1, eta1, phi1, taken as massless"},
		{pair, "a: pt1, eta1, phi1, mass 0.1057 (declared)\nb: pt2, eta2, phi2, mass 0.1057 (declared)"},
	} {
		s, err := Fit(t.Context(), table, nil, c.options)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Momenta.String(); got != c.want {
			t.Errorf("%+v:\n%s\nwant\n%s", c.options, got, c.want)
		}
	}
	_, err := Fit(t.Context(), table, nil, Options{Vectors: []string{"a=pt1,eta1,phi3,0"}})
	if err == nil || !strings.Contains(err.Error(), `no branch "phi3" to learn; did you mean`) {
		t.Errorf("a vector of a branch that is not there: %v", err)
	}
}
