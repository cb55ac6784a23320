package flows

import "testing"

// Layers that repeat are listed once.
func TestRepeated(t *testing.T) {
	for _, test := range []struct {
		kinds []string
		want  string
	}{
		{nil, ""},
		{[]string{"A"}, "A"},
		{[]string{"A", "B", "C"}, "A, B, C"},
		{[]string{"A", "B", "A", "B", "A", "C"}, "2 × (A, B), A, C"},
		{[]string{"C", "A", "B", "A", "B", "A", "B"}, "C, 3 × (A, B)"},
		{[]string{"A", "A", "A"}, "A, A, A"},
	} {
		if got := repeated(test.kinds); got != test.want {
			t.Errorf("%v is %q, want %q", test.kinds, got, test.want)
		}
	}
}
